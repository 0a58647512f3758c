import { comparedScenarios, runOnShop, type SessionChoiceName, sessionChoices } from './four-scenarios.js';

/** Prints the table of docs/sessions.md that compares express-session with holdfast/sessions. */
const choices = Object.keys(sessionChoices) as SessionChoiceName[];
console.log('| scenario | sessions | users logged out | writes lost | logouts undone | longest answer |');
console.log('|---|---|---|---|---|---|');
for (const name of comparedScenarios) {
  for (const choice of choices) {
    if (name === 'store-hang' && sessionChoices[choice].mode === 'sticky') continue;
    const { users, writes, serviceMs } = (await runOnShop(name, choice)).findings;
    const cells = [
      `\`${name}\``,
      choice,
      `${users.loggedOut} of ${users.total}`,
      `${writes.lost} of ${writes.acknowledged}`,
      users.logoutNotHonoured,
      `${Math.round(serviceMs.max ?? 0)} ms`,
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
}
