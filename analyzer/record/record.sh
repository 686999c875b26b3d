#!/bin/sh
# Records a bundle for tcpcap on a host without Python: frames, kernel counters, sockets and settings, from the same moments.
# It needs Linux, root and tcpdump; with iproute2 it tells the addresses of the host, and more of its sockets.
# `tcpcap analyze FOLDER` reads what it leaves. Ctrl-C ends it well. Exit status: 0 done, 2 nothing recorded, 3 ended early.
set -u
# -- settings --

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
LC_ALL=C
export PATH LC_ALL
umask 077 # what frames and sockets hold is private
reserve_kb=32768 # are left free on the disk
reason=
cut=false

fail() {
    printf 'record: %s\n' "$*" >&2
    exit 2
}

has() {
    command -v "$1" >/dev/null 2>&1
}

# Seconds since 1970 to a hundredth, or whole ones where date knows no others: what it prints for %N then is anything.
now() {
    stamp=$(date +%s.%N)
    fraction=${stamp#*.}
    case $fraction in
    *[!0-9]*) stamp= ;;
    ?????????) stamp=${stamp%.*}.${fraction%???????} ;;
    *) stamp= ;;
    esac
    [ -n "$stamp" ] || stamp=$(date +%s)
    printf '%s\n' "$stamp"
}

# Seconds by a clock that nobody sets.
uptime() {
    read -r up _ </proc/uptime
    printf '%s\n' "${up%.*}"
}

table() {
    cat /proc/net/snmp /proc/net/netstat
    [ ! -r /proc/net/snmp6 ] || cat /proc/net/snmp6
}

# All counters behind their time. A digit of it stands only where it was the same before and after reading them, so that no more
# is claimed than is known: what was read slowly is read again.
counters() {
    for _ in 1 2 3 4 5 6 7 8; do
        before=$(now)
        text=$(table)
        after=$(now)
        [ "$before" != "$after" ] || break
    done
    case $before.$after in *.*.*.*) [ "$before" = "$after" ] || before=${before%?} after=${after%?} ;; esac
    [ "$before" = "$after" ] || after=${before%.*}
    printf '%s\n%s\n' "$after" "$text"
}

sockets() {
    now
    if has ss; then
        ss -tanimoeO 2>/dev/null || ss -tanimoe
    else
        cat /proc/net/tcp
        [ ! -r /proc/net/tcp6 ] || cat /proc/net/tcp6
    fi
}

# A signal is for the script, which ends after it; a snapshot is taken as a whole, also where all of a group get the signal.
snapshot() {
    (
        trap '' INT TERM HUP
        counters >>"$folder/counters.txt" && sockets >>"$folder/sockets.txt"
    )
}

# A member of an object of JSON: quotes and backslashes are escaped, what controls terminals and lines becomes a space.
member() {
    value=$2
    case $value in
    *[\"\\[:cntrl:]]*) value=$(printf '%s ' "$value" | tr '\n' ' ' | sed 's/[\"]/\\&/g; s/[[:cntrl:]]/ /g; s/ *$//') ;;
    esac
    printf '%s"%s":"%s"' "$comma" "$1" "$value" && comma=,
}

addresses() {
    comma=
    ip -o address show dev "$1" | while read -r _ _ family address _; do
        case $family in inet | inet6) printf '%s"%s"' "$comma" "$address" && comma=, ;; esac
    done
}

interfaces() {
    has ip || return 0
    before=
    ip -o link | while read -r _ name words; do
        name=${name%:}
        name=${name%%@*}
        mtu=${words#*mtu }
        mac=
        case $words in *link/*) mac=${words#*link/*[[:space:]]} mac=${mac%% *} ;; esac
        printf '%s{' "$before"
        comma=
        member name "$name"
        member mac "$mac"
        printf ',"mtu":%s,"addresses":[%s]}' "${mtu%% *}" "$(addresses "$name")"
        before=,
    done
}

sysctls() {
    comma=
    for file in /proc/sys/net/core/* /proc/sys/net/ipv4/icmp_* /proc/sys/net/ipv4/ip_* /proc/sys/net/ipv4/ipfrag_* \
        /proc/sys/net/ipv4/tcp_* /proc/sys/net/ipv4/udp_* /proc/sys/net/ipv6/conf/all/forwarding \
        /proc/sys/net/ipv6/ip6frag_* /proc/sys/net/netfilter/nf_conntrack_max; do
        case $file in *key | *secret) continue ;; esac
        [ -r "$file" ] || continue
        # shellcheck disable=SC2046 # words, with one space between them
        set -- $(cat "$file" 2>/dev/null)
        member "$(printf '%s' "${file#/proc/sys/}" | tr / .)" "$*"
    done
}

# host.json, when it began and again when all is known: $1 is what the recording is known by.
describe() {
    {
        printf '{'
        comma=
        member hostname "$(uname -n)"
        member kernel "$(uname -s) $(uname -r)"
        printf ',"interfaces":[%s],"sysctls":{' "$(interfaces)"
        sysctls
        printf '},"recording":{'
        comma=
        member interface "$interface"
        member filter "$filter"
        printf ',%s}}\n' "$1"
    } >"$folder/.host.json" && mv "$folder/.host.json" "$folder/host.json"
}

# Runs tcpdump until a line comes on standard input, or its end: that comes if this script was killed. Two seconds more, since
# the kernel hands frames over once a second.
keep() {
    trap '' INT TERM HUP
    exec 3>&-
    set -- tcpdump -n -i "$interface" -s "$snaplen" -B "$buffer" -w -
    [ -z "$filter" ] || set -- "$@" -- "$filter"
    ! has setsid || set -- setsid "$@" # keeps Ctrl-C from it
    : >"$folder/tcpdump.txt"
    "$@" >"$folder/capture.pcap" 2>>"$folder/tcpdump.txt" </dev/null &
    echo "pid $!" >>"$folder/tcpdump.txt"
    read -r _
    sleep 2
    kill $! 2>/dev/null
    wait $!
}

says() {
    case $(cat "$folder/tcpdump.txt" 2>/dev/null) in *"$1"*) ;; *) return 1 ;; esac
}

# Does tcpdump run no more? It may have been killed, and have said nothing; then it waits for its parent as a zombie.
is_gone() {
    pid=$(sed -n 's/^pid //p' "$folder/tcpdump.txt" 2>/dev/null)
    [ -n "$pid" ] || return 1
    read -r _ _ state _ 2>/dev/null <"/proc/$pid/stat" || return 0
    [ "$state" = Z ]
}

# Sleeps until the next snapshot, or the end if that comes before; a signal ends it.
pause() {
    length=$every
    if [ "$duration" -gt 0 ]; then
        left=$((duration - $(uptime) + began))
        [ "$left" -gt "${every%.*}" ] || length=$left
    fi
    sleep "$length" 3>&- &
    if wait $!; then
        return
    elif [ -n "$reason" ]; then
        kill $! 2>/dev/null
    else
        sleep 1 3>&- # this one knows whole seconds only
    fi
}

has_room() {
    df -P -k "$folder" | {
        read -r _
        read -r _ _ _ free _
        [ "$free" -gt "$reserve_kb" ]
    }
}

finish() {
    echo stop >&3
    exec 3>&-
    wait "$keeper"
}

[ "$(uname -s)" = Linux ] || fail "needs Linux"
has tcpdump || fail "tcpdump is not installed; install it with the package manager of this host"
[ "$(id -u)" -eq 0 ] || fail "needs root; run it with sudo"
[ ! -e "$folder" ] || fail "$folder is there already; remove it, or change folder= at the top"
mkdir -p "$folder" || fail "$folder cannot be made"
has_room || {
    rmdir "$folder"
    fail "less than $((reserve_kb / 1024)) MB are free at $folder; make room, or change folder= at the top"
}
has ip || printf 'record: without ip (iproute2) the addresses of this host are not recorded: name them with --host\n' >&2

mkfifo "$folder/.end" || {
    rmdir "$folder"
    fail "$folder: no fifo can be made there"
}
keep <"$folder/.end" &
keeper=$!
exec 3>"$folder/.end"
rm -f "$folder/.end"
trap 'reason=${reason:-a signal}' INT TERM HUP

waited=0
until says "listening on" || is_gone || [ "$waited" -ge 20 ] || [ -n "$reason" ]; do
    sleep 1 3>&-
    waited=$((waited + 1))
done
if ! says "listening on"; then
    finish
    sed '/^pid /d' "$folder/tcpdump.txt" >&2
    rm -f "$folder/tcpdump.txt" "$folder/capture.pcap"
    rmdir "$folder"
    fail "tcpdump does not capture on $interface"
fi

begun=$(now)
began=$(uptime)
last=${begun%.*}
describe "\"begun\":$begun,\"ended\":null" 3>&-
snapshot 3>&-
printf 'record: recording %s into %s with tcpdump; Ctrl-C ends it\n' "$interface" "$folder" >&2
while [ -z "$reason" ]; do
    if [ "$duration" -gt 0 ] && [ $(($(uptime) - began)) -ge "$duration" ]; then
        reason="its time was over"
        break
    fi
    pause
    time=$(date +%s)
    if is_gone; then
        cut=true reason="tcpdump has ended"
    elif [ "$time" -lt "$last" ]; then
        cut=true reason="the clock was set back"
    elif ! has_room; then
        cut=true reason="the disk is nearly full"
    elif [ -z "$reason" ] && ! snapshot 3>&-; then
        cut=true reason="the disk is full"
    fi
    last=$time
done
[ "$cut" = true ] || snapshot 3>&-
ended=$(now)
finish
frames=$(sed -n 's/^\([0-9]*\) packets* captured$/\1/p' "$folder/tcpdump.txt")
dropped=$(sed -n 's/^\([0-9]*\) packets* dropped by kernel$/\1/p' "$folder/tcpdump.txt")
describe "\"begun\":$begun,\"ended\":$ended,\"ended_by\":\"$reason\",\"cut\":$cut,\"frames\":${frames:--1},\"dropped\":${dropped:--1}"
printf '%s: %s frames, %s dropped; ended: %s\n' "$folder" "${frames:-?}" "${dropped:-?}" "$reason"
[ "$cut" = false ] || exit 3
