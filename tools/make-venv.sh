#!/bin/sh
# make-venv.sh FOLDER LOWEST HIGHEST CONSTRAINTS GROUP...: create a virtual environment with this project (editable) and
# the dependency groups, at their pinned versions. FOLDER/.ready marks success.
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
    # pip's output goes to a file, and to the screen on failure.
    "$folder/bin/python" -m pip install --constraint "$constraints" --progress-bar off "$@" >>"$log" 2>&1 || {
        tail -n 25 "$log" >&2
        echo "pip failed; see $log" >&2
        exit 1
    }
}
: >"$log"
install pip hatchling hatch-fancy-pypi-readme editables
# With build isolation: some dependencies are source archives that need setuptools and wheel, which are not installed.
# shellcheck disable=SC2086  # the groups are words of their own
install --editable . $groups
# pip compiles only packages that it copies; do the same for the working tree.
"$folder/bin/python" -m compileall -q airflow_provider_apscores || true
touch "$folder/.ready"
