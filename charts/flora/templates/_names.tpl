{{- define "flora.name" -}}
{{- default "flora" .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{/* Begins the names of all resources. 40 characters: the StatefulSet's pods get -runtime-<ordinal> and a hash behind it. */}}
{{- define "flora.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "flora.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "flora.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{/* What a component's pods are found by. Takes {root, component}. */}}
{{- define "flora.selector" -}}
app.kubernetes.io/name: {{ include "flora.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "flora.labels" -}}
{{ include "flora.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: flora
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Name, namespace and labels of a component's resource. Takes {root, component, name}; without a name it is the component's. */}}
{{- define "flora.metadata" -}}
name: {{ include "flora.fullname" .root }}-{{ default .component .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "flora.labels" . | nindent 2 }}
{{- end }}

{{/* The same of what has no namespace. */}}
{{- define "flora.clusterMetadata" -}}
name: {{ include "flora.fullname" .root }}-{{ default .component .name }}-{{ .root.Release.Namespace }}
labels:
  {{- include "flora.labels" . | nindent 2 }}
{{- end }}

{{/* Takes {root, image: {repository, tag}}. */}}
{{- define "flora.image" -}}
{{- $repository := .image.repository -}}
{{- with .root.Values.image.registry -}}
{{- $repository = printf "%s/%s" (trimSuffix "/" .) $repository -}}
{{- end -}}
{{- printf "%s:%s" $repository (.image.tag | default .root.Values.image.tag | default .root.Chart.AppVersion) -}}
{{- end }}

{{- define "flora.gatewayUrl" -}}
http://{{ include "flora.fullname" . }}-gateway:8401
{{- end }}

{{- define "flora.operatorUrl" -}}
http://{{ include "flora.fullname" . }}-operator:8402
{{- end }}

{{- define "flora.simulatorUrl" -}}
http://{{ include "flora.fullname" . }}-simulator:8410
{{- end }}

{{- define "flora.apiUrl" -}}
http://{{ include "flora.fullname" . }}-api:8405
{{- end }}

{{/* Where people reach the API; empty when nobody has said. */}}
{{- define "flora.publicUrl" -}}
{{- if .Values.api.publicUrl -}}
{{- .Values.api.publicUrl -}}
{{- else if and .Values.api.ingress.enabled .Values.api.ingress.host -}}
{{- printf "%s://%s" (ternary "https" "http" (not (empty .Values.api.ingress.tlsSecret))) .Values.api.ingress.host -}}
{{- end -}}
{{- end }}

{{/* Where credentials are: of the chart's own Secret, or of one that is there. */}}
{{- define "flora.discordSecret" -}}
name: {{ .Values.discord.existingSecret | default (printf "%s-discord" (include "flora.fullname" .)) }}
key: {{ ternary .Values.discord.existingSecretKey "token" (not (empty .Values.discord.existingSecret)) }}
{{- end }}

{{- define "flora.databaseSecret" -}}
name: {{ .Values.database.existingSecret | default (printf "%s-database" (include "flora.fullname" .)) }}
key: {{ ternary .Values.database.existingSecretKey "url" (not (empty .Values.database.existingSecret)) }}
{{- end }}

{{- define "flora.redisSecret" -}}
name: {{ .Values.redis.existingSecret | default (printf "%s-redis" (include "flora.fullname" .)) }}
key: {{ ternary .Values.redis.existingSecretKey "url" (not (empty .Values.redis.existingSecret)) }}
{{- end }}

{{/* "true" when there is a Redis of any kind. */}}
{{- define "flora.hasRedis" -}}
{{- if or .Values.redis.url .Values.redis.existingSecret .Values.redis.inCluster.enabled -}}true{{- end -}}
{{- end }}

{{/* Where the chart itself puts what belongs to guilds: the operator may read it there. */}}
{{- define "flora.guildNamespace" -}}
{{- first (append .Values.watchNamespaces .Release.Namespace) -}}
{{- end }}

{{- define "flora.serviceAccounts" -}}
{{- $names := list -}}
{{- range list "gateway" "runtime" "operator" "api" -}}
{{- $names = append $names (printf "%s=%s/%s-%s" . $.Release.Namespace (include "flora.fullname" $) .) -}}
{{- end -}}
{{- join "," $names -}}
{{- end }}
