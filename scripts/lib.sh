# shellcheck shell=bash
# What the scripts share. It is sourced.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
state=${DASKBOT_STATE:-.daskbot}

say() { printf '%s\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }

# fetch PRINTS the body of http://$1$2; bash alone, since a fresh machine has
# no curl. It fails when nobody answers or the status is not 200.
fetch() {
	local host=${1%:*} port=${1##*:} line status
	exec 3<>"/dev/tcp/$host/$port" || return 1
	printf 'GET %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n' "$2" "$1" >&3
	IFS= read -r status <&3 || { exec 3>&-; return 1; }
	while IFS= read -r line <&3 && [[ $line != $'\r' ]]; do :; done
	cat <&3
	exec 3>&-
	[[ $status == *" 200 "* ]]
}

# put sends the JSON $3 to http://$1$2. It fails when that is not taken.
put() {
	local host=${1%:*} port=${1##*:} status
	exec 3<>"/dev/tcp/$host/$port" || return 1
	printf 'PUT %s HTTP/1.0\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s' "$2" "$1" "${#3}" "$3" >&3
	IFS= read -r status <&3 || status=''
	exec 3>&-
	[[ $status == *" 200 "* ]]
}

# field prints the value of a text field in JSON on standard input.
field() { grep -o "\"$1\": *\"[^\"]*\"" | head -n 1 | cut -d '"' -f 4; }

# begun prints when process $1 began, as the kernel counts it, or nothing if it
# has ended: with it a process is told from one that has its number later.
begun() {
	local line fields
	{ IFS= read -r line <"/proc/$1/stat"; } 2>/dev/null || return 0
	read -ra fields <<<"${line##*) }"
	[[ ${fields[0]} == [ZX] ]] || printf '%s\n' "${fields[19]}"
}

# remember writes a process down: $1 is the file, $2 what it is, $3 its number.
# A line of its own each; what a run that was killed has left is found by it.
remember() { printf '%s %s %s\n' "$2" "$3" "$(begun "$3")" >>"$1"; }

# alive prints the number of the process that file $1 remembers as $2, if that
# very process still runs. The last line about it counts.
alive() {
	local what pid since found=''
	[[ -r $1 ]] || return 1
	while read -r what pid since; do
		if [[ $what == "$2" ]]; then
			found=''
			if [[ -n $since && $(begun "$pid") == "$since" ]]; then found=$pid; fi
		fi
	done <"$1"
	[[ -n $found ]] && printf '%s\n' "$found"
}

# end ends the process that file $1 remembers as $2, and with $3, a minus sign,
# the group that it leads. It may take its time to stop; then it is killed.
end() {
	local pid i
	pid=$(alive "$1" "$2") || return 0
	say "ending what an earlier run has left: $2, process $pid"
	kill -TERM -- "${3:-}$pid" 2>/dev/null || true
	for ((i = 0; i < 450; i++)); do
		alive "$1" "$2" >/dev/null || return 0
		sleep 0.2
	done
	kill -KILL -- "${3:-}$pid" 2>/dev/null || true
}

# taken is whether somebody listens on $1.
taken() { (exec 3<>"/dev/tcp/${1%:*}/${1##*:}") 2>/dev/null; }
