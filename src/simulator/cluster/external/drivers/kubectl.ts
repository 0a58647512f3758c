import type { MemberDriver } from '../driver.js';

/** Prints one line for each pod: its name, a column of the caller, whether it is being deleted, whether it is ready. */
const listPods = (column: string) =>
  `pods=$(kubectl get pods -l {selector} --sort-by=.metadata.creationTimestamp -o jsonpath='{range .items[*]}{.metadata.name} ${column}|{.metadata.deletionTimestamp}|{.status.conditions[?(@.type=="Ready")].status}{"\\n"}{end}') || exit 1; printf '%s\\n' "$pods" | sed -n 's/ *||True$//p'`;

const isReady = `{.status.conditions[?(@.type=="Ready")].status}`;

const firstProcess =
  'kubectl cannot freeze a pod: the kernel ignores SIGSTOP to process 1 from inside its container. Set system.members.hang and resume if the app is another process of its container';

/** Deletes pods. Their controller makes others under other names, so there is no `start`. */
export const kubectl: MemberDriver = {
  summary: 'pods of Kubernetes: `kubectl delete pod`; their deployment makes others. `deploy` changes the deployment',
  selects: 'a label of the pods and of their deployment: `app=shop`',
  program: 'kubectl',
  list: listPods(''),
  // Code 126: the API gave no answer, which must not pass for the end of the pod. A pod that is being deleted may still
  // serve, so it counts as alive until it is gone.
  alive: `state=$(kubectl get pod {member} --ignore-not-found -o jsonpath='{.metadata.deletionTimestamp}|${isReady}') || exit 126; case "$state" in '') echo 'the pod is gone'; exit 1 ;; '|True') echo 'the pod is ready' ;; '|'*) echo 'the pod is not ready'; exit 1 ;; *) echo 'the pod is being deleted' ;; esac`,
  // SIGTERM and, two seconds later, SIGKILL. A forced deletion would leave the process its whole grace period.
  kill: 'kubectl delete pod {member} --now --wait=false',
  stop: 'kubectl delete pod {member} --wait=false',
  lacks: { hang: firstProcess, resume: firstProcess },
  deploy: {
    workload: `kubectl get deployments -l {selector} -o jsonpath='{range .items[*]}{.metadata.name} {.metadata.annotations.deployment\\.kubernetes\\.io/revision}{"\\n"}{end}'`,
    // While the deployment is paused, both changes become one revision.
    rollOut: `kubectl rollout pause deployment/{workload} && { kubectl set env deployment/{workload} {variables} && { test -z {image} || kubectl set image deployment/{workload} '*='{image}; }; code=$?; kubectl rollout resume deployment/{workload} && exit $code; }`,
    isDone: 'kubectl rollout status deployment/{workload} --timeout={within}',
    rollBack: `kubectl rollout resume deployment/{workload} >/dev/null 2>&1; kubectl rollout undo deployment/{workload} --to-revision={revision}`,
    versions: listPods('{.spec.containers[*].env[?(@.name=="BACKEND_VERSION")].value}'),
  },
};
