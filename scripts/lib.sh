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

# field prints the value of a text field in JSON on standard input.
field() { grep -o "\"$1\": *\"[^\"]*\"" | head -n 1 | cut -d '"' -f 4; }
