{{/* Rules of NetworkPolicies. Takes {root, components, port}. */}}
{{- define "flora.from" -}}
- from:
    {{- range .components }}
    - podSelector:
        matchLabels:
          {{- include "flora.selector" (dict "root" $.root "component" .) | nindent 10 }}
    {{- end }}
  ports: [{port: {{ .port }}, protocol: TCP}]
{{- end }}

{{/* Takes {root, component, port}. */}}
{{- define "flora.to" -}}
- to:
    - podSelector:
        matchLabels:
          {{- include "flora.selector" . | nindent 10 }}
  ports: [{port: {{ .port }}, protocol: TCP}]
{{- end }}

{{/* Takes {root, port}. */}}
{{- define "flora.metricsFrom" -}}
{{- with .root.Values.networkPolicy.metricsFrom -}}
- from:
    {{- toYaml . | nindent 4 }}
  ports: [{port: {{ $.port }}, protocol: TCP}]
{{- end }}
{{- end }}

{{- define "flora.toDns" -}}
- to:
    {{- toYaml .Values.networkPolicy.dnsTo | nindent 4 }}
  ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
{{- end }}

{{/* It has no labels, and often an address of its own outside of pods' and Services'. */}}
{{- define "flora.toApiServer" -}}
- ports:
    {{- range .Values.networkPolicy.apiServerPorts }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
{{- end }}

{{- define "flora.toPostgres" -}}
{{- if .Values.database.inCluster.enabled -}}
{{ include "flora.to" (dict "root" . "component" "postgres" "port" 5432) }}
{{- else -}}
- ports: [{port: {{ .Values.database.port }}, protocol: TCP}]
{{- end -}}
{{- end }}
