# Drains a server, or ends that: bash balancer-manager.sh CONFIG PORT ROUTE 1|0.
# In a browser: http://127.0.0.1:PORT/balancer-manager, the server, "Draining Mode".
port=$2
manager="http://127.0.0.1:$port/balancer-manager"

# Sends a request with this method and body, and prints the answer.
ask() {
  exec 3<>"/dev/tcp/127.0.0.1/$port" || exit 1
  # A change without the referer of the page is refused.
  printf '%s /balancer-manager HTTP/1.0\r\nHost: 127.0.0.1\r\nReferer: %s\r\n' "$1" "$manager" >&3
  printf 'Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %s\r\n\r\n%s' "${#2}" "$2" >&3
  cat <&3
  exec 3>&-
}

# The manager knows a server by its address. The configuration has it beside the route.
worker=$(awk -v "route=route=$3" '$1 == "BalancerMember" { for (i = 3; i <= NF; i++) if ($i == route) print $2 }' "$1")
# Each change must have the nonce of the page, which is another one after each start.
nonce=$(ask GET '' | grep -o 'nonce=[0-9a-f-]*' | head -n 1)
[ -n "$worker" ] && [ -n "$nonce" ] || { echo "found no server with the route $3, or no nonce at $manager" >&2; exit 1; }
answer=$(ask POST "b=shop&w=$worker&$nonce&w_status_N=$4")
case $answer in
  'HTTP/1.'?' 200 '*) ;;
  *) echo "the balancer manager answered: ${answer%%$'\r'*}" >&2; exit 1 ;;
esac
