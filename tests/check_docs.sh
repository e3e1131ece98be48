#!/bin/sh
# sh check_docs.sh SOURCE_DIR: what the documents name is there: files, links, functions, every
# convolution algorithm; and the pictures are what their script draws. Prints what is not, exits 1.
cd "$1" || exit 2
docs="README.md CONTRIBUTING.md docs/*.md"
bad=0
complain() { echo "$*"; bad=1; }

# Names of examples, which do not exist.
examples='scale|mine|foo'

for name in $(sed 's/[^ `(]*[<*][^ `)]*//g' $docs | grep -oE '(^|[^/a-z])(include|src|kernels_cl|tests|docs|data|cmake)/[A-Za-z0-9_./]*[a-z0-9]' |
              sed 's/^[^a-z]//' | grep -vE "$examples" | sort -u); do
    [ -e "$name" ] || complain "a document names $name, which does not exist"
done

for doc in $docs; do
    for link in $(grep -oE '\]\([^)#]+\)' "$doc" | sed 's/^](//; s/)$//' | grep -v '^http'); do
        [ -e "$(dirname "$doc")/$link" ] || complain "$doc links to $link, which does not exist"
    done
done

for name in $(cat $docs | grep -oE 'clg_[a-z0-9_]*[a-z0-9](\b|$)|clg__[a-z0-9_]*[a-z0-9](\b|$)' |
              grep -vE "$examples" | sort -u); do
    grep -rq "$name" include src ||
        complain "a document names $name, which does not exist"
done

for name in $(grep -oE '\bX\([a-z0-9_]+\)' src/ops/conv2d_problem.h | sed 's/X(//; s/)//' |
              grep -v '^name$' | sort -u); do
    grep -qE "^\| [^|]*\`$name\`" docs/algorithms.md ||
        complain "docs/algorithms.md has no row for the conv2d algorithm $name"
done

if command -v python3 >/dev/null; then
    drawn=$(mktemp -d)
    cp docs/img/make.py "$drawn" && python3 "$drawn/make.py"
    for picture in docs/img/*.svg; do
        cmp -s "$picture" "$drawn/$(basename "$picture")" ||
            complain "$picture is not what docs/img/make.py draws"
    done
    rm -r "$drawn"
fi
exit $bad
