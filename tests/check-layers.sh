#!/bin/sh
# Proves that folders include and call only what the layers allow. Usage: check-layers.sh BUILD < lines `module|folder|allowed modules…`.
# Two proofs per module: the #include lines of its sources, and the undefined symbols of its archive against who defines them.
build=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/layers"

# Every quoted include as `including file<TAB>path as written`.
cut -d'|' -f2 "$work/layers" | while read -r folder; do
  find "$folder" -name '*.[ch]' ! -name '*-test.c' ! -name '*-test.h' ! -name '*-fuzz.c' ! -name '*-main.c' \
    -exec grep -H '^#include "' {} + 2>/dev/null
done | sort -u | sed 's/^\([^:]*\):#include "\([^"]*\)".*/\1\t\2/' > "$work/includes"

awk -F'|' -v includes="$work/includes" '
  function owner_of(path,   m, best, found) { # the module whose folder is the longest beginning of the path
    best = 0; found = "include"
    for (m in folder) if (index(path "/", folder[m] "/") == 1 && length(folder[m]) > best) { best = length(folder[m]); found = m }
    return found
  }
  function normal(path,   parts, n, i, out, k) {
    n = split(path, parts, "/"); k = 0
    for (i = 1; i <= n; i++) if (parts[i] == "..") k--; else if (parts[i] != ".") out[++k] = parts[i]
    path = out[1]
    for (i = 2; i <= k; i++) path = path "/" out[i]
    return path
  }
  { folder[$1] = $2; allowed[$1] = " " $1 " include " $3 " " }
  END {
    while ((getline line < includes) > 0) {
      split(line, part, "\t")
      dir = part[1]; sub(/\/[^\/]*$/, "", dir)
      from = owner_of(part[1]); to = owner_of(normal(dir "/" part[2]))
      if (index(allowed[from], " " to " ") == 0) print part[1] " includes " part[2] ": " from " may not reach " to
    }
  }' "$work/layers" > "$work/verdict"

cut -d'|' -f1 "$work/layers" | while read -r module; do
  [ ! -f "$build/lib/$module.a" ] || nm -g --defined-only "$build/lib/$module.a" 2>/dev/null | awk -v m="$module" 'NF == 3 { print $3, m }'
done > "$work/owners"
while IFS='|' read -r module folder allowed; do
  [ -f "$build/lib/$module.a" ] || continue
  nm -u "$build/lib/$module.a" 2>/dev/null | awk 'NF == 2 { print $2 }' | sort -u |
    awk -v m="$module" -v allowed=" $module $allowed " 'NR == FNR { owner[$1] = $2; next }
      ($1 in owner) && index(allowed, " " owner[$1] " ") == 0 { print m " calls " $1 " of " owner[$1] }
      m ~ /^(engine-run|engine-format|kernels|operators|device|problem|base)$/ && $1 ~ /^(zmq_|mdb_|json_|ZSTD_)/ { print m " calls " $1 ": no such library below" }' \
      "$work/owners" - >> "$work/verdict"
done < "$work/layers"

if [ -s "$work/verdict" ]; then
  cat "$work/verdict"
  exit 1
fi
echo "layers hold: $(wc -l < "$work/layers") modules, $(wc -l < "$work/includes") includes"
