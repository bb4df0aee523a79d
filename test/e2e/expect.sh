# What the scripts of this folder say about a command's output; sourced by them. Patterns are extended regular expressions of one line.
kubectl=${KUBECTL:-kubectl}
: "${KUBECONFIG:?names the kubeconfig of the server under test}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
current='(no step yet)'
checks=0

fail() {
  printf 'not ok - %s\n  %s\n' "$current" "$*" >&2
  exit 1
}

step() {
  [ "$checks" = 0 ] || printf 'ok - %s\n' "$current"
  current=$1
}

# Runs "${@:2}" and wants the status $want and a line like $1 in what it prints.
check() {
  local output status=0
  output=$("${@:2}" 2>&1) || status=$?
  checks=$((checks + 1))
  [ "$status" -eq "$want" ] || fail "${*:2} ended with $status instead of $want:"$'\n'"$output"
  grep -Eq -- "$1" <<<"$output" || fail "${*:2} did not print a line like $1 but:"$'\n'"$output"
}

# The command succeeds and prints a line like $1.
expect() { local want=0; check "$@"; }
# It fails with such a line.
refuse() { local want=1; check "$@"; }
# Like diff, it ends with 1 because there is a difference.
differs() { local want=1; check "$@"; }

# It succeeds, and every line is like $1.
expect_only() {
  expect "$@"
  local output
  output=$("${@:2}" 2>&1) || fail "${*:2}: $output"
  ! grep -Ev -- "$1" <<<"$output" >/dev/null || fail "${*:2} printed more than lines like $1:"$'\n'"$output"
}

# It succeeds, and no line is like $1.
lacks() {
  local output
  output=$("${@:2}" 2>&1) || fail "${*:2} failed:"$'\n'"$output"
  checks=$((checks + 1))
  ! grep -Eq -- "$1" <<<"$output" || fail "${*:2} printed a line like $1:"$'\n'"$output"
}

# It succeeds and prints nothing.
expect_nothing() {
  local output
  output=$("$@" 2>&1) || fail "$* failed:"$'\n'"$output"
  checks=$((checks + 1))
  [ -z "$output" ] || fail "$* printed:"$'\n'"$output"
}

# Within 30 seconds it prints a line like $1.
eventually() {
  local deadline=$((SECONDS + 30)) output
  checks=$((checks + 1))
  until output=$("${@:2}" 2>&1) && grep -Eq -- "$1" <<<"$output"; do
    [ "$SECONDS" -lt "$deadline" ] || fail "${*:2} never printed a line like $1 but:"$'\n'"$output"
    sleep 0.1
  done
}

done_with() {
  printf 'ok - %s\n%s: %s checks passed\n' "$current" "$1" "$checks"
}
