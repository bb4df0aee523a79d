#!/usr/bin/env bash
# Server-side apply with stock kubectl: two people and an operator own parts of one WebApp and one Database. Needs KUBECONFIG.
# Usage: KUBECONFIG=.annex/kubeconfig test/e2e/kubectl-apply.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/e2e/expect.sh

ns=${NAMESPACE:-kubectl-apply-$$}
k() { "$kubectl" --namespace="$ns" "$@"; }
# apply_as MANAGER FILE [flag…]
apply_as() { k apply --server-side --field-manager="$1" -f "$2" "${@:3}"; }
env_of() { k get wa site -o 'jsonpath={range .spec.env[*]}{.name}={.value}{"\n"}{end}' | sort | tr '\n' ' '; }
managers() { k get "$1" -o 'jsonpath={range .metadata.managedFields[*]}{.manager}:{.operation}:{.subresource} {end}' --show-managed-fields; }

# site NAME=VALUE… prints a WebApp whose env list has these; extra lines of the spec come from $more.
site() {
  printf 'apiVersion: example.com/v1\nkind: WebApp\nmetadata:\n  name: site\nspec:\n'
  printf '%s' "${more:-}"
  [ $# = 0 ] || printf '  env:\n'
  for pair in "$@"; do printf '  - name: %s\n    value: %s\n' "${pair%%=*}" "${pair#*=}"; done
}

step 'alice creates the WebApp, bob adds a variable to her list'
more=$'  replicas: 2\n  image: site:1\n  port: 8080\n' site LEVEL=info REGION=eu >"$work/alice.yaml"
site CACHE=big >"$work/bob.yaml"
expect '^webapp.example.com/site serverside-applied$' apply_as alice "$work/alice.yaml"
expect '^webapp.example.com/site serverside-applied$' apply_as bob "$work/bob.yaml"
expect '^CACHE=big LEVEL=info REGION=eu $' env_of
expect 'alice:Apply: .*bob:Apply:|bob:Apply: .*alice:Apply:' managers wa/site

step 'applying the same again changes nothing'
before=$(k get wa site -o 'jsonpath={.metadata.resourceVersion}')
expect '^webapp.example.com/site serverside-applied$' apply_as bob "$work/bob.yaml"
expect "^$before\$" k get wa site -o 'jsonpath={.metadata.resourceVersion}'

step 'bob wants what alice owns: a conflict that names her'
site CACHE=big LEVEL=debug >"$work/bob2.yaml"
refuse 'Apply failed with 1 conflict: conflict with "alice": \.spec\.env\[name="LEVEL"\]\.value' apply_as bob "$work/bob2.yaml"
refuse 'conflict with "alice": \.spec\.replicas' apply_as bob <(more=$'  replicas: 5\n' site CACHE=big)
expect '^CACHE=big LEVEL=info REGION=eu $' env_of

step 'diff --server-side shows it without changing anything'
differs '^\+    value: debug$' k diff --server-side --field-manager=bob --force-conflicts -f "$work/bob2.yaml"
differs 'conflict with "alice"|value: debug' k diff --server-side --field-manager=bob --force-conflicts -f "$work/bob2.yaml"
expect '^CACHE=big LEVEL=info REGION=eu $' env_of

step 'the same value is shared without a conflict'
expect 'serverside-applied$' apply_as bob <(site CACHE=big REGION=eu)

step 'bob forces it; then alice has the conflict'
expect 'serverside-applied$' apply_as bob "$work/bob2.yaml" --force-conflicts
expect '^CACHE=big LEVEL=debug REGION=eu $' env_of
refuse 'conflict with "bob": \.spec\.env\[name="LEVEL"\]\.value' apply_as alice "$work/alice.yaml"

step 'alice gives the variable up by not sending it: bob keeps it'
more=$'  replicas: 2\n  image: site:2\n  port: 8080\n' site REGION=eu >"$work/alice2.yaml"
expect 'serverside-applied$' apply_as alice "$work/alice2.yaml"
expect '^CACHE=big LEVEL=debug REGION=eu $' env_of

step 'bob stops sending everything but one: what was only his goes'
expect 'serverside-applied$' apply_as bob <(site CACHE=small)
expect '^CACHE=small REGION=eu $' env_of

step 'the operator scales: alice has a conflict until she leaves replicas to it'
expect '^webapp.example.com/site scaled$' k scale wa site --replicas=7
refuse 'conflict with "kubectl" with subresource "scale" using example.com/v1.*: \.spec\.replicas|conflict with "kubectl".*\.spec\.replicas' apply_as alice "$work/alice2.yaml"
more=$'  image: site:3\n  port: 8080\n' site REGION=eu >"$work/alice3.yaml"
expect 'serverside-applied$' apply_as alice "$work/alice3.yaml"
expect '^7 site:3$' k get wa site -o 'jsonpath={.spec.replicas} {.spec.image}'

step 'the operator owns the status of a Database, people its spec'
cat >"$work/database.yaml" <<'MANIFEST'
apiVersion: db.example.com/v1
kind: Database
metadata: {name: ledger}
spec: {type: postgresql, version: 16.2.0, storage: {size: 1Gi}}
status: {phase: Failed}
MANIFEST
condition() {
  printf 'apiVersion: db.example.com/v1\nkind: Database\nmetadata: {name: ledger}\nstatus:\n  phase: %s\n  conditions:\n  - {type: %s, status: "True"}\n' "$1" "$2"
}
expect '^database.db.example.com/ledger serverside-applied$' apply_as alice "$work/database.yaml"
expect '^$' k get databases.db.example.com ledger -o 'jsonpath={.status.phase}{"\n"}'
expect 'serverside-applied$' apply_as operator <(condition Running Ready) --subresource=status
expect '^Running$' k get databases.db.example.com ledger -o 'jsonpath={.status.phase}'
expect 'alice:Apply: .*operator:Apply:status|operator:Apply:status .*alice:Apply:' managers databases.db.example.com/ledger
expect 'serverside-applied$' apply_as alice "$work/database.yaml"
expect '^Running$' k get databases.db.example.com ledger -o 'jsonpath={.status.phase}'

step 'a second operator adds a condition of its own, and may not take the phase'
refuse 'conflict with "operator" with subresource "status": \.status\.phase' apply_as backups <(condition Failed BackedUp) --subresource=status
expect 'serverside-applied$' apply_as backups <(condition Running BackedUp) --subresource=status
expect '^Ready BackedUp$' k get databases.db.example.com ledger -o 'jsonpath={.status.conditions[*].type}'
expect 'serverside-applied$' apply_as operator <(condition Running Available) --subresource=status
expect '^BackedUp Available$' k get databases.db.example.com ledger -o 'jsonpath={.status.conditions[*].type}'

step 'what was applied by the client is taken over by the server without a conflict'
sed 's/name: site/name: old/' "$work/alice.yaml" >"$work/old.yaml"
expect '^webapp.example.com/old created$' k apply -f "$work/old.yaml"
sed 's/site:1/site:2/; /REGION/,$d' "$work/old.yaml" >"$work/old2.yaml"
expect '^webapp.example.com/old serverside-applied$' k apply --server-side -f "$work/old2.yaml"
expect '^site:2 LEVEL$' k get wa old -o 'jsonpath={.spec.image} {.spec.env[*].name}'
expect '(^| )kubectl:Apply: ' managers wa/old
lacks 'client-side-apply' managers wa/old
expect '^webapp.example.com/old configured$|^webapp.example.com/old serverside-applied$' k apply --server-side -f "$work/old.yaml"

step 'applies that cannot be'
refuse 'unknown field "spec.colour"|\.spec\.colour: field not declared in schema' apply_as alice <(more=$'  colour: red\n' site)
refuse 'spec.port: Invalid value: 0|should be greater than or equal to 1' apply_as alice <(more=$'  image: i\n  port: 0\n' site)
refuse 'duplicate' apply_as alice <(more=$'  image: site:3\n  port: 8080\n' site REGION=eu REGION=us)

step 'cleaning up'
expect '^webapp.example.com "site" deleted' k delete wa --all
expect '^database.db.example.com "ledger" deleted' k delete databases.db.example.com --all

done_with 'kubectl-apply.sh'
