# Reloads HAProxy and waits until its new worker answers: bash reload.sh PID PORT.
# The master starts itself again during a reload, and a signal that comes at that moment is lost. So it is sent again
# until another worker answers at the runtime API.
worker() { bash runtime-api.sh "$1" "show info" 2>/dev/null | awk '/^Pid:/ { print $2 }'; }

before=$(worker "$2")
for _ in 1 2 3; do
  kill -USR2 "$1" || exit 1
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    now=$(worker "$2")
    [ -n "$now" ] && [ "$now" != "$before" ] && exit 0
    sleep 0.1
  done
done
echo "the master $1 started no new worker" >&2
exit 1
