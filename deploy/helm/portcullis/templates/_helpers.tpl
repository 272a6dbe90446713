{{- define "portcullis.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "portcullis.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "portcullis.name" .) .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "portcullis.name" .) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "portcullis.selectorLabels" -}}
app.kubernetes.io/name: {{ include "portcullis.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "portcullis.labels" -}}
{{ include "portcullis.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "portcullis.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- define "portcullis.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "portcullis.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "portcullis.policies" -}}
{{- default (printf "%s-policies" (include "portcullis.fullname" .)) .Values.existingPolicies }}
{{- end }}

{{/* What clients call the gateway, without a port. */}}
{{- define "portcullis.hostname" -}}
{{- regexReplaceAll ":[0-9]+$" (urlParse .Values.config.publicUrl).host "" }}
{{- end }}

{{- define "portcullis.maxReplicas" -}}
{{- if .Values.autoscaling.enabled }}{{ .Values.autoscaling.maxReplicas }}{{ else }}{{ .Values.replicaCount }}{{ end }}
{{- end }}

{{/* portcullis.yaml: what the values say, and what belongs to the way that the chart runs it. */}}
{{- define "portcullis.configuration" -}}
{{- $config := deepCopy .Values.config }}
{{- if not (or $config.upstream $config.upstreams) }}
{{- $_ := set $config "upstream" "http://registry:5000" }}
{{- end }}
{{- $set := dict "listen" ":5050" "admin" (dict "listen" ":5051") "policies" "/etc/portcullis-policies" }}
{{- $_ := set $set "stateDir" "/var/lib/portcullis/state" }}
{{- if .Values.keysSecret }}
{{- $_ := set $set "tokens" (dict "keys" "/run/secrets/portcullis/keys") }}
{{- end }}
{{- if .Values.tls.existingSecret }}
{{- $place := "/run/secrets/portcullis/tls" }}
{{- $_ := set $set "tls" (dict "cert" (printf "%s/tls.crt" $place) "key" (printf "%s/tls.key" $place)) }}
{{- end }}
{{- $default := dict "timeouts" (dict "leave" "5s") }}
{{- mergeOverwrite $default $config $set | toYaml }}
{{- end }}

{{/* The open registries behind: those that ask for a login are none. */}}
{{- define "portcullis.registries" -}}
{{- $found := list }}
{{- range $name, $upstream := .Values.config.upstreams }}
{{- if not $upstream.credentials }}{{ $found = append $found $upstream.url }}{{ end }}
{{- end }}
{{- if not .Values.config.upstreams }}
{{- $found = append $found (default "http://registry:5000" .Values.config.upstream) }}
{{- end }}
{{- toJson $found }}
{{- end }}

{{/* Of a duration such as 15m. */}}
{{- define "portcullis.seconds" -}}
{{- $unit := regexFind "[smhd]$" (toString .) }}
{{- $number := regexFind "^[0-9]+" (toString .) | int }}
{{- mul $number (get (dict "s" 1 "m" 60 "h" 3600 "d" 86400) $unit | default 1) }}
{{- end }}

{{/* What would run, and would not be what somebody wants. */}}
{{- define "portcullis.refuse" -}}
{{- $many := int (include "portcullis.maxReplicas" .) }}
{{- if gt $many 1 }}
{{- if not .Values.redis.existingSecret }}
{{- fail (printf "%d replicas need one Redis, or each has sessions, limits and revocations of its own: name a Secret with its URL in redis.existingSecret, or set replicaCount: 1" $many) }}
{{- end }}
{{- if not .Values.keysSecret }}
{{- fail (printf "%d replicas need the same signing keys, or each refuses the tokens of the others: name a Secret with them in keysSecret, or set replicaCount: 1" $many) }}
{{- end }}
{{- if .Values.persistence.existingClaim }}
{{- fail (printf "%d replicas cannot share one state directory: with Redis leave persistence.existingClaim empty" $many) }}
{{- end }}
{{- end }}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) }}
{{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas" }}
{{- end }}
{{- $timeouts := default dict .Values.config.timeouts }}
{{- $drain := include "portcullis.seconds" (default "15m" $timeouts.drain) | int }}
{{- $leave := include "portcullis.seconds" (default "5s" $timeouts.leave) | int }}
{{- if gt (add $drain $leave) (int64 .Values.terminationGracePeriodSeconds) }}
{{- fail (printf "uploads may run for %ds after a stop (config.timeouts), and the pod is killed after %vs: raise terminationGracePeriodSeconds, or lower config.timeouts.drain" (add $drain $leave) .Values.terminationGracePeriodSeconds) }}
{{- end }}
{{- range $key := list "publicUrl" "upstream" }}
{{- $url := get $.Values.config $key }}
{{- if and $url (not (regexMatch "^https?://[^/?#@]+/?$" $url)) }}
{{- fail (printf "config.%s is %q: it is a URL without a path, such as https://registry.example.com" $key $url) }}
{{- end }}
{{- end }}
{{- if and .Values.config.upstream .Values.config.upstreams }}
{{- fail "config.upstream and config.upstreams are both set: keep one of them" }}
{{- end }}
{{- if and (eq (default "proxy" .Values.config.enforce) "token") .Values.registry.lock }}
{{- fail "with config.enforce: token clients go to the registry themselves, which registry.lock forbids: set registry.lock: false" }}
{{- end }}
{{- if and .Values.policies .Values.existingPolicies }}
{{- fail "policies and existingPolicies are both set: keep one of them" }}
{{- end }}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) }}
{{- fail "httpRoute.parentRefs is empty: name the Gateway that the route belongs to" }}
{{- end }}
{{- end }}
