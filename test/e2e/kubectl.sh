#!/usr/bin/env bash
# Stock kubectl (1.32 or later) with every kind of a running server. Needs KUBECONFIG; `KUBECTL` may name another binary.
# Usage: KUBECONFIG=.annex/kubeconfig test/e2e/kubectl.sh
# Every step checks what kubectl printed; the first one that is not as expected ends the script with a message.
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/e2e/expect.sh

ns=${NAMESPACE:-kubectl-$$}
k() { "$kubectl" --namespace="$ns" "$@"; }
manifest() { printf 'apiVersion: %s\nkind: %s\nmetadata: {name: %s}\nspec: %s\n' "$@"; }
webapp() { manifest example.com/v1 WebApp "$@"; }

step 'api-resources lists the four kinds with short names'
expect '^custommetrics +cm8s +metrics.example.com/v1alpha1 +true +CustomMetric$' k api-resources
expect '^databases +db +mycompany.io/v2 +true +Database$' k api-resources
expect '^databases +db +db.example.com/v1 +true +Database$' k api-resources
expect '^webapps +wa +example.com/v1 +true +WebApp$' k api-resources
expect '^databases.db.example.com$' k api-resources --categories=storage -o name
expect '^mycompany.io/v1$' k api-versions

step 'readyz and version answer'
expect '^readyz check passed$' k get --raw '/readyz?verbose'
expect '^\[\+\]etcd ok$' k get --raw '/readyz?verbose'
expect '^Server Version: v[0-9]' k version

step 'explain knows the schemas'
expect 'engine.*<string> -required-' k explain databases.mycompany.io.spec
expect '^    env.*<\[\]Object>$' k explain webapps --recursive
expect '^ +lastTransitionTime.*<string>$' k explain databases.db.example.com.status --recursive
expect 'VERSION: +v1beta1' k explain databases --api-version=db.example.com/v1beta1
expect '^  value\s.*-required-$' k explain cm8s

step 'apply creates the examples, and says so the second time'
expect '^database.mycompany.io/orders created$' k apply -f hack/examples/
expect '^database.db.example.com/accounts unchanged$' k apply -f hack/examples/
expect '^Warning: db.example.com/v1beta1 Database is deprecated; use db.example.com/v1 Database$' k apply -f hack/examples/
expect '^webapp.example.com/shop unchanged$' k apply -f hack/examples/
expect '^custommetric.metrics.example.com/queue-length unchanged$' k apply -f hack/examples/
expect '^metricmapping.metrics.example.com/http-requests unchanged$' k apply -f hack/examples/

step 'get prints the columns'
expect '^NAME +REPLICAS +READY +PHASE +AGE$' k get webapps
expect '^shop +3 ' k get wa
expect '^orders +mysql +8.4 +3 ' k get databases.mycompany.io
expect '^NAME +TYPE +VERSION +REPLICAS +PHASE +PRIMARY +AGE$' k get databases.db.example.com -o wide
expect '^NAME +TYPE +VERSION +REPLICAS +PHASE +AGE$' k get databases.db.example.com
expect '^shop-requests +http_requests_per_second +WebApp +shop +1250m ' k get cm8s
expect '^queue-length .* 42 ' k get custommetrics queue-length

step 'get by label, name, field, output and in all namespaces'
expect_only '^(NAME|catalog|orders)' k get databases.mycompany.io -l app=shop
expect_only '^(NAME|inventory)' k get databases.mycompany.io --field-selector=metadata.name=inventory
expect '^  configuration:$' k get databases.mycompany.io orders -o yaml
expect '^500$' k get databases.mycompany.io orders -o 'jsonpath={.spec.configuration.max_connections}'
expect '^database.mycompany.io/catalog$' k get databases.mycompany.io -o name
expect "^$ns +shop " k get webapps --all-namespaces
expect '^shop +3 .*app=shop$' k get webapps --show-labels
expect '^catalog +shop$' k get databases.mycompany.io catalog -o 'custom-columns=N:.metadata.name,APP:.metadata.labels.app'
expect '^  engine: mysql$' k get databases.v1beta1.db.example.com legacy -o yaml
expect '^  type: mysql$' k get databases.v1.db.example.com legacy -o yaml
refuse 'Error from server \(NotFound\): webapps.example.com "nothing" not found' k get webapp nothing

step 'namespaces need no creating, and a List is applied like a file of several objects'
expect "^namespace/$ns$" "$kubectl" get ns "$ns" -o name
expect "^$ns +Active" "$kubectl" get ns
k get webapps,databases.mycompany.io -o yaml | sed '/^ *resourceVersion:/d' >"$work/list.yaml"
expect '^kind: List$' cat "$work/list.yaml"
expect '^webapp.example.com/shop (configured|unchanged)$' k apply -f "$work/list.yaml"
expect '^webapp.example.com/shop unchanged$' k apply -f "$work/list.yaml"

step 'get all lists the kinds of the category'
expect '^database.mycompany.io/orders ' k get all
expect '^database.db.example.com/accounts ' k get all

step 'describe shows the object'
expect '^Kind: +WebApp$' k describe wa shop
expect 'Schedule: +0 3 \* \* \*$' k describe databases.db.example.com accounts

step 'create refuses what the schema does not know'
refuse 'strict decoding error: unknown field "spec.replica"' k create --validate=strict -f <(webapp typo '{replicas: 1, replica: 2, image: i, port: 80}')
refuse 'spec.port: Invalid value: 70000: spec.port in body should be less than or equal to 65535' k create -f <(webapp port '{replicas: 1, image: i, port: 70000}')
refuse 'spec.version: Unsupported value: "9": supported values: "14", "15", "16", "17"' k create -f <(manifest mycompany.io/v2 Database old '{engine: postgresql, version: "9"}')
expect '^Warning: unknown field "spec.replica"$' k create --validate=warn -f <(webapp typo '{replicas: 1, replica: 2, image: i, port: 80}')
refuse 'webapps.example.com "typo" already exists' k create -f <(webapp typo '{replicas: 1, image: i, port: 80}')

step 'diff shows what apply would change, and changes nothing'
sed 's/replicas: 3/replicas: 4/' hack/examples/webapps.yaml >"$work/webapps.yaml"
differs '^\+  replicas: 4$' k diff -f "$work/webapps.yaml"
expect '^3$' k get wa shop -o 'jsonpath={.spec.replicas}'
expect '^webapp.example.com/shop configured$' k apply -f "$work/webapps.yaml"
expect_nothing k diff -f "$work/webapps.yaml"

step 'apply takes out what left the manifest'
grep -v 'LOG_LEVEL\|value: info' "$work/webapps.yaml" >"$work/less.yaml"
expect '^webapp.example.com/shop configured$' k apply -f "$work/less.yaml"
expect '^DATABASE$' k get wa shop -o 'jsonpath={.spec.env[*].name}'

step 'edit sends a patch'
expect '^webapp.example.com/shop edited$' env EDITOR='sed -i s/shop:1[.]4[.]2/shop:1.5.0/' "$kubectl" -n "$ns" edit wa shop
expect 'shop:1.5.0$' k get wa shop -o 'jsonpath={.spec.image}'
expect 'Edit cancelled, no changes made' env EDITOR=true "$kubectl" -n "$ns" edit wa shop

step 'patch as merge patch and as JSON patch, and of the status'
expect '^database.mycompany.io/orders patched$' k patch databases.mycompany.io orders --type=merge -p '{"spec":{"configuration":{"max_connections":"600"}}}'
expect '^database.mycompany.io/orders patched$' k patch databases.mycompany.io orders --type=json -p '[{"op":"remove","path":"/spec/configuration/innodb_buffer_pool_size"}]'
expect '^\{"max_connections":"600"\}$' k get databases.mycompany.io orders -o 'jsonpath={.spec.configuration}'
expect '\(no change\)$' k patch databases.mycompany.io orders --type=merge -p '{"spec":{"configuration":{"max_connections":"600"}}}'
refuse 'spec.engine: Invalid value: "postgresql": field is immutable' k patch databases.mycompany.io orders --type=merge -p '{"spec":{"engine":"postgresql","version":"16"}}'
refuse 'spec.storage.size: Forbidden: storage never shrinks: 1Gi is less than 20Gi' k patch databases.db.example.com accounts --type=merge -p '{"spec":{"storage":{"size":"1Gi"}}}'
expect '^webapp.example.com/shop patched$' k patch wa shop --subresource=status --type=merge -p '{"status":{"phase":"Running","readyReplicas":4},"spec":{"replicas":9}}'
expect '^shop +4 +4 +Running ' k get wa shop
refuse 'application/strategic-merge-patch\+json|UnsupportedMediaType' k patch wa shop --type=strategic -p '{"spec":{"replicas":1}}'

step 'a write through an older version keeps what that version does not know'
expect '^database.mycompany.io/orders patched$' k patch databases.v1.mycompany.io orders --type=merge -p '{"spec":{"replicas":5}}'
expect '^5 600$' k get databases.v2.mycompany.io orders -o 'jsonpath={.spec.replicas} {.spec.configuration.max_connections}'

step 'scale goes through the scale subresource'
expect '^webapp.example.com/shop scaled$' k scale wa shop --replicas=2
expect '^2$' k get wa shop -o 'jsonpath={.spec.replicas}'
refuse 'Expected replicas to be 7, was 2' k scale wa shop --replicas=3 --current-replicas=7
expect '^database.db.example.com/accounts scaled$' k scale databases.db.example.com/accounts --replicas=0
refuse 'should be less than or equal to 100' k scale wa shop --replicas=101

step 'label and annotate'
expect '^webapp.example.com/shop labeled$' k label wa shop tier=front
expect_only '^(NAME|shop)' k get wa -l tier=front,app
expect '^webapp.example.com/shop not labeled$' k label wa shop tier=front
expect '^webapp.example.com/shop unlabeled$' k label wa shop tier-
expect '^webapp.example.com/shop annotated$' k annotate wa shop note='two words'
expect '^two words$' k get wa shop -o 'jsonpath={.metadata.annotations.note}'
refuse 'metadata.labels: Invalid value: "a/b"' k patch wa shop --type=merge -p '{"metadata":{"labels":{"tier":"a/b"}}}'

step 'replace needs the resourceVersion that it was made from'
k get wa shop -o yaml >"$work/shop.yaml"
expect '^webapp.example.com/shop replaced$' k replace -f <(sed 's/port: 8080/port: 8081/' "$work/shop.yaml")
refuse 'Operation cannot be fulfilled on webapps.example.com "shop": the object has been modified' k replace -f <(sed 's/port: 8080/port: 8082/' "$work/shop.yaml")
webapp typo '{replicas: 1, image: i, port: 81}' >"$work/typo.yaml"
expect '^webapp.example.com/typo replaced$' k replace --force -f "$work/typo.yaml"
expect '^81$' k get wa typo -o 'jsonpath={.spec.port}'

step 'wait sees conditions, fields and deletions'
k wait --for=condition=Ready databases.db.example.com/accounts --timeout=60s >"$work/wait" 2>&1 & waiter=$!
expect '^database.db.example.com/accounts patched$' k patch databases.db.example.com accounts --subresource=status --type=merge -p '{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}'
wait "$waiter" || fail "wait for the condition: $(cat "$work/wait")"
expect '^database.db.example.com/accounts condition met$' cat "$work/wait"
expect 'condition met$' k wait --for=jsonpath='{.status.phase}'=Running databases.db.example.com/accounts --timeout=60s
k wait --for=delete wa/typo --timeout=60s >"$work/wait" 2>&1 & waiter=$!
expect '^webapp.example.com "typo" deleted' k delete wa typo
wait "$waiter" || fail "wait for the deletion: $(cat "$work/wait")"

step 'get -w follows changes'
k get wa -w >"$work/watch" 2>&1 & watcher=$!
eventually '^shop ' cat "$work/watch"
expect '^webapp.example.com/shop scaled$' k scale wa shop --replicas=6
eventually '^shop +6 ' cat "$work/watch"
kill "$watcher"; wait "$watcher" || true
k get cm8s -w -o yaml >"$work/watch" 2>&1 & watcher=$!
eventually '^kind: CustomMetric$' cat "$work/watch"
kill "$watcher"; wait "$watcher" || true

step 'server-side apply and dry runs'
expect '^webapp.example.com/shop serverside-applied$' k apply --server-side -f "$work/less.yaml" --force-conflicts
expect '\(server dry run\)$' k apply --server-side --dry-run=server -f hack/examples/custommetrics.yaml
expect '^webapp.example.com/dry created \(server dry run\)$' k create --dry-run=server -f <(webapp dry '{replicas: 1, image: i, port: 81}')
refuse 'NotFound' k get wa dry

step 'delete: production databases ask for a confirmation'
refuse 'deleted only with the annotation confirm-delete: "yes"' k delete databases.mycompany.io orders
expect '^database.mycompany.io/orders annotated$' k annotate databases.mycompany.io orders confirm-delete=yes
expect '^database.mycompany.io "orders" deleted' k delete databases.mycompany.io orders

step 'delete: foreground and orphan leave a finalizer for the garbage collector'
expect '^database.mycompany.io "catalog" deleted' k delete databases.mycompany.io catalog --cascade=foreground --wait=false
expect '^\["foregroundDeletion"\]$' k get databases.mycompany.io catalog -o 'jsonpath={.metadata.finalizers}'
expect '^database.mycompany.io "inventory" deleted' k delete databases.mycompany.io inventory --cascade=orphan --wait=false
expect '^\["orphan"\]$' k get databases.mycompany.io inventory -o 'jsonpath={.metadata.finalizers}'
for name in catalog inventory; do # as the garbage collector would
  expect 'patched$' k patch databases.mycompany.io "$name" --type=merge -p '{"metadata":{"finalizers":null}}'
done
refuse 'NotFound' k get databases.mycompany.io inventory

step 'delete: by file, by label, and everything'
expect '^custommetric.metrics.example.com "queue-length" deleted' k delete -f hack/examples/custommetrics.yaml
expect '^webapp.example.com "shop" deleted' k delete wa -l app=shop
expect '^database.db.example.com "legacy" deleted' k delete databases.db.example.com --all
expect '^metricmapping.metrics.example.com "queue-depth" deleted' k delete -f hack/examples/metricmappings.yaml
for kind in custommetrics metricmappings webapps databases.mycompany.io databases.db.example.com; do
  expect "^No resources found in $ns namespace.$" k get "$kind"
done

done_with 'kubectl.sh'
