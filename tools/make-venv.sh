#!/bin/sh
# make-venv.sh FOLDER LOWEST HIGHEST CONSTRAINTS GROUP...: a virtual environment with this project (editable), the
# dependency groups and their pins. FOLDER/.ready is written when all is well.
set -eu
folder=$1 lowest=$2 highest=$3 constraints=$4
shift 4

python=$(tools/find-python.sh "$lowest" "$highest")
echo "Installing into $folder ($("$python" --version), pins: $constraints); this takes a minute or two ..."
rm -f "$folder/.ready"
"$python" -m venv "$folder"

groups=
for group in "$@"; do groups="$groups --group $group"; done
log=$folder/install.log
install() {
    # pip's chatter goes to a file; on failure it is what the reader needs.
    "$folder/bin/python" -m pip install --constraint "$constraints" --progress-bar off "$@" >>"$log" 2>&1 || {
        tail -n 25 "$log" >&2
        echo "pip failed; all of it is in $log" >&2
        exit 1
    }
}
: >"$log"
install pip hatchling editables
# Built in isolation: some dependencies are source archives that need setuptools and wheel, which are not installed here.
# shellcheck disable=SC2086  # the groups are words of their own
install --editable . $groups
# As pip does for packages that are no working trees: importing must not begin with compiling.
"$folder/bin/python" -m compileall -q airflow_provider_apscores || true
touch "$folder/.ready"
