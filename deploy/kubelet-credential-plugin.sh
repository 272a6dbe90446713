#!/bin/sh
# Credential provider plugin of the kubelet: pods pull with the service account that they run as (KEP-4412, Kubernetes 1.34).
# The kubelet hands over a token of that account, made for the registry; it goes on as the password. Nothing is stored.
# The first argument is the name of the workload in the policy; without one the gateway finds the workload by the token.
set -eu

fail() {
  echo "kubelet-credential-plugin: $1" >&2
  exit 1
}

request=$(cat)

# A text of the request, from which nothing can be taken but what stands in tokens and image names.
field() {
  printf '%s' "$request" | tr '\n' ' ' | sed -n "s|.*\"$1\" *: *\"\\([A-Za-z0-9_.:/@-]*\\)\".*|\\1|p"
}

token=$(field serviceAccountToken)
image=$(field image)
[ -n "$image" ] || fail 'the request names no image'
[ -n "$token" ] || fail 'the request has no token: set tokenAttributes.serviceAccountTokenAudience for this plugin'

cat <<JSON
{
  "kind": "CredentialProviderResponse",
  "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
  "cacheKeyType": "Registry",
  "cacheDuration": "5m0s",
  "auth": { "${image%%/*}": { "username": "${1:-oidc}", "password": "$token" } }
}
JSON
