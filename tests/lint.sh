#!/bin/sh
# What a reviewer would notice by counting: long files and functions, long lines, open ends, tabs.
files=$(git ls-files --cached --others --exclude-standard '*.c' '*.h' '*.cu' '*.cuh' '*.inc' 2> /dev/null)
[ -n "$files" ] || files=$(find . -path ./build -prune -o -name '*.[ch]' -print -o -name '*.inc' -print)
failed=0
say() { echo "$1"; failed=1; }
for file in $files; do
  lines=$(wc -l < "$file")
  [ "$lines" -gt 800 ] && say "$file: $lines lines (800 at most)"
done
long=$(awk '{ gsub(/[\200-\277]/, "") } length > 140 { print FILENAME ":" FNR ": " length " columns" }' $files | head -n 20)
[ -n "$long" ] && say "$long"
open=$(grep -nwE 'TODO|FIXME|XXX' $files | head -n 5)
[ -n "$open" ] && say "$open"
# Functions: from a line that ends in `) {` at column 0 to the closing brace at column 0.
tall=$(awk 'FNR == 1 { inside = 0 } /^[a-z].*\) \{$/ { inside = FNR; name = $0 } /^}/ && inside { if (FNR - inside > 80) print FILENAME ":" inside ": " FNR - inside " lines: " name; inside = 0 }' $files)
[ -n "$tall" ] && say "$tall"
[ "$failed" = 0 ] && echo "lint: $(echo "$files" | wc -l) files are within bounds"
exit $failed
