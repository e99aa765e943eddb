#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# insn.sh PROGRAM [CASE...]: instructions per record of send and receive
# together, as valgrind counts them.  The difference of two runs of different
# lengths leaves only what each record costs; it repeats exactly.
set -eu

program=$1
shift
if ! command -v valgrind >/dev/null; then
	echo "insn: valgrind is not here: no instructions counted" >&2
	exit 4
fi
# A list of words.
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $("$program" -l | grep -v -e -256 -e -4096)
few=8192 many=24576

count()
{
	valgrind --tool=callgrind --callgrind-out-file=/dev/null \
		"$program" "$1" "$2" 2>&1 |
		sed -n 's/.*Collected : *//p'
}

printf '\ninstructions per record, sent and received, payload written and added up\n'
for case in "$@"; do
	a=$(count "$case" $few)
	b=$(count "$case" $many)
	printf '    %-18s' "$case"
	awk "BEGIN { printf \"%8.1f\n\", ($b - $a) / ($many - $few) }"
done
