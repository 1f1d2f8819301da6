# For scripts that print a table of pat-core/src/docs/dependencies.md. To be sourced, after `cd` to the
# repository.

document=pat-core/src/docs/dependencies.md
# An empty host, for cargo.
host=$(mktemp -d)
trap 'rm -rf "$host"' EXIT
mkdir "$host/src"
touch "$host/src/lib.rs"

# Prints what the function `table` prints; with `--check` compares it with the table of this name in the
# document, with `--bless` writes it there.
publish() {
    local name=$1 option=${2-}
    if [[ $option != --check && $option != --bless ]]; then
        table
        return
    fi
    table >"$host/table"
    sed -e "/^<!-- $name -->\$/,/^<!-- end -->\$/{//!d}" -e "/^<!-- $name -->\$/r $host/table" "$document" \
        >"$host/document"
    if [[ $option == --bless ]]; then cp "$host/document" "$document"; else diff -u "$document" "$host/document"; fi
}
