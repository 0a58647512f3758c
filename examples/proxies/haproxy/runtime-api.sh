# Sends one command to the runtime API of HAProxy and prints the answer: bash runtime-api.sh PORT "show stat".
# The same with socat: echo "show stat" | socat stdio tcp-connect:127.0.0.1:PORT
exec 3<>"/dev/tcp/127.0.0.1/$1" && echo "$2" >&3 && cat <&3
