# The table of scripts/bench: medians over the rounds. A ratio is taken within its round, in which
# the machine was about the same for both sides, and only then is the median of the ratios taken.
#
# Input, separated by tabs, one line per measurement: section, case, round, requests per second,
# latency p50 and p99 in milliseconds, processor time of Envoy per request in microseconds,
# requests to the upstream per request. The first case of a section is what its others are
# compared with.

BEGIN { FS = "\t" }

{
  key = $1 FS $2
  if (!(key in rounds)) {
    order[++cases] = key
    if (!($1 in base)) base[$1] = key
  }
  rounds[key]++
  for (column = 4; column <= 8; column++) value[key, $3, column] = $column
  names[rounds[key]] = $3
}

# Of the values in list[1..count], which it sorts.
function median(list, count,    i, j, held) {
  for (i = 2; i <= count; i++) {
    held = list[i]
    for (j = i - 1; j > 0 && list[j] > held; j--) list[j + 1] = list[j]
    list[j + 1] = held
  }
  i = int((count + 1) / 2)
  return count % 2 ? list[i] : (list[i] + list[i + 1]) / 2
}

function middle(key, column,    i, list) {
  for (i = 1; i <= rounds[key]; i++) list[i] = value[key, names[i], column]
  return median(list, rounds[key])
}

function ratio(key, of, column,    i, list, other) {
  for (i = 1; i <= rounds[key]; i++) {
    other = value[of, names[i], column]
    list[i] = other > 0 ? value[key, names[i], column] / other : 0
  }
  return median(list, rounds[key])
}

END {
  # Written out: awk may count the bytes of µ instead of its characters.
  print "                                     requests      p50      p99      CPU  upstream         ratio of"
  print "                                   per second       ms       ms       µs  requests  requests    CPU"
  for (i = 1; i <= cases; i++) {
    key = order[i]
    split(key, part, FS)
    if (part[1] != section) printf "\n%s\n", part[1]
    section = part[1]
    printf "  %-32s %10.0f %8.2f %8.2f %8.0f %9.2f  %8.2f %6.2f\n", part[2],
      middle(key, 4), middle(key, 5), middle(key, 6), middle(key, 7), middle(key, 8),
      ratio(key, base[part[1]], 4), ratio(key, base[part[1]], 7)
  }
}
