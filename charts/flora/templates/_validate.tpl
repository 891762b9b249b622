{{/* What values.schema.json cannot say: which values go together. */}}
{{- define "flora.validate" -}}
{{- if not (or .Values.discord.simulated .Values.discord.token .Values.discord.existingSecret) -}}
{{- fail "discord.token is not set: give --set discord.token=…, or the name of a Secret as discord.existingSecret, or --set discord.simulated=true to try flora without Discord" -}}
{{- end -}}
{{- if not (or .Values.database.url .Values.database.existingSecret .Values.database.inCluster.enabled) -}}
{{- fail "database.url is not set: give the URL of a Postgres, or the name of a Secret as database.existingSecret, or --set database.inCluster.enabled=true to try flora with a Postgres of the chart's own" -}}
{{- end -}}
{{- range $name := list "database" "redis" -}}
{{- $store := index $.Values $name -}}
{{- $given := list -}}
{{- if $store.url }}{{ $given = append $given (printf "%s.url" $name) }}{{ end -}}
{{- if $store.existingSecret }}{{ $given = append $given (printf "%s.existingSecret" $name) }}{{ end -}}
{{- if $store.inCluster.enabled }}{{ $given = append $given (printf "%s.inCluster.enabled" $name) }}{{ end -}}
{{- if gt (len $given) 1 -}}
{{- fail (printf "%s say different things: give one of them" (join " and " $given)) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.discord.token .Values.discord.existingSecret -}}
{{- fail "discord.token and discord.existingSecret say different things: give one of them" -}}
{{- end -}}
{{- if and .Values.operator.starter.files .Values.operator.starter.existingConfigMap -}}
{{- fail "operator.starter.files and operator.starter.existingConfigMap say different things: give one of them" -}}
{{- end -}}
{{- if .Values.api.enabled -}}
{{- if not (include "flora.hasRedis" .) -}}
{{- fail "api.enabled needs a Redis for sessions and logs: give redis.url, the name of a Secret as redis.existingSecret, or redis.inCluster.enabled=true" -}}
{{- end -}}
{{- if and .Values.api.existingSecret (or .Values.api.secretKeys .Values.api.operatorSecret .Values.api.discord.clientSecret) -}}
{{- fail "api.existingSecret and api.secretKeys, api.operatorSecret or api.discord.clientSecret say different things: give one of them" -}}
{{- end -}}
{{- if and .Values.api.ingress.enabled (not .Values.api.ingress.host) -}}
{{- fail "api.ingress.enabled needs api.ingress.host, the name that people reach the API by" -}}
{{- end -}}
{{- if gt (int .Values.api.autoscaling.minReplicas) (int .Values.api.autoscaling.maxReplicas) -}}
{{- fail "api.autoscaling.minReplicas is more than api.autoscaling.maxReplicas" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.metrics.podMonitor.enabled .Values.metrics.serviceMonitor.enabled -}}
{{- fail "metrics.podMonitor.enabled and metrics.serviceMonitor.enabled: choose one, or everything is counted twice" -}}
{{- end -}}
{{- if and (ne .Values.runtime.autoscaling.type "none") (gt (int .Values.runtime.autoscaling.minReplicas) (int .Values.runtime.autoscaling.maxReplicas)) -}}
{{- fail "runtime.autoscaling.minReplicas is more than runtime.autoscaling.maxReplicas" -}}
{{- end -}}
{{- end }}
