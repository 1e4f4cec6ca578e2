#!/bin/sh
# Print the first Python with a version from $1 to $2 (inclusive) and the venv module, or an error in one line.
# Run each candidate: a version manager's shim may exist for a version that is switched off.
lowest=$1 highest=$2
for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.14 python; do
    if "$candidate" -c "import sys, venv, ensurepip
low, high = (tuple(map(int, text.split('.'))) for text in sys.argv[1:])
sys.exit(not low <= sys.version_info[:2] <= high)" "$lowest" "$highest" >/dev/null 2>&1; then
        command -v "$candidate"
        exit 0
    fi
done
echo "No Python from $lowest to $highest with the venv module was found. Install one, or name it: make PYTHON=/path/to/python ..." >&2
exit 1
