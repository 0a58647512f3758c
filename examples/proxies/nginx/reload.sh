# Reloads nginx and waits until none of its old workers takes connections: sh reload.sh PID.
# The signal alone returns at once, and for a moment old and new workers serve side by side.
workers() { ps -A -o ppid=,pid=,args= | awk -v master="$1" '$1 == master && !/shutting down/ { print $2 }'; }

before=$(workers "$1")
kill -HUP "$1" || exit 1
tries=40
while [ "$tries" -gt 0 ]; do
  tries=$((tries - 1))
  now=$(workers "$1")
  old=$(for one in $before; do case " $(echo $now) " in *" $one "*) echo "$one" ;; esac; done)
  [ -n "$now" ] && [ -z "$old" ] && exit 0
  sleep 0.1
done
echo "old workers of $1 still serve: $old" >&2
exit 1
