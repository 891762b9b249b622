{{/* What all pods of flora's have in common. Takes {root, component, values}. */}}
{{- define "flora.podSettings" -}}
serviceAccountName: {{ include "flora.fullname" .root }}-{{ .component }}
{{- /* Services' addresses come by DNS; the variables made of them would look like settings. */}}
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
{{- with .values.terminationGracePeriodSeconds }}
terminationGracePeriodSeconds: {{ . }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- $selector := dict "labelSelector" (dict "matchLabels" (include "flora.selector" $ | fromYaml)) }}
  {{- range . }}
  - {{- toYaml (merge (deepCopy .) $selector) | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Labels and annotations of a pod. What else it is made of (variables, Secrets of the chart's) is in a checksum, so that
     a change replaces the pod; an upgrade that changes nothing of it does not. Takes {root, component, values, madeOf}. */}}
{{- define "flora.podMetadata" -}}
{{- $config := include (print .root.Template.BasePath "/" .component "/config.yaml") .root | fromYaml -}}
labels:
  {{- include "flora.selector" . | nindent 2 }}
  {{- with .root.Values.commonLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with .values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  checksum/config: {{ toJson $config.data | sha256sum }}
  {{- with .madeOf }}
  checksum/made-of: {{ toJson . | sha256sum }}
  {{- end }}
  {{- with .values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "flora.container" -}}
image: {{ include "flora.image" (dict "root" .root "image" .values.image) | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  {{- toYaml .root.Values.containerSecurityContext | nindent 2 }}
{{- with .values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Healthy: restart me when not. Ready: what kubectl and budgets count. Starting may take its time. */}}
{{- define "flora.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 1
  failureThreshold: 120
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 2
  timeoutSeconds: 3
{{- end }}

{{/* A token that only flora's own servers take, renewed by the kubelet. */}}
{{- define "flora.tokenVolume" -}}
name: token
projected:
  defaultMode: 0440
  sources:
    - serviceAccountToken:
        path: token
        audience: {{ .Values.identity.audience | quote }}
        expirationSeconds: {{ .Values.identity.tokenSeconds }}
{{- end }}

{{/* Variables of a component: those the chart knows, and over them those of its `config`. Takes {config, own}. */}}
{{- define "flora.variables" -}}
{{- range $name, $value := merge (deepCopy .config) .own }}
{{ $name }}: {{ ternary (printf "%.0f" (float64 $value)) (toString $value) (and (kindIs "float64" $value) (eq (floor $value) $value)) | quote }}
{{- end }}
{{- end }}

{{/* Takes {root, component, values}. */}}
{{- define "flora.disruptionBudget" -}}
{{- if .values.podDisruptionBudget.enabled }}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "flora.metadata" . | nindent 2 }}
spec:
  maxUnavailable: {{ .values.podDisruptionBudget.maxUnavailable }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "flora.selector" . | nindent 6 }}
{{- end }}
{{- end }}

{{/* An account whose API token is mounted only where a pod asks for it. */}}
{{- define "flora.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "flora.metadata" . | nindent 2 }}
  {{- with .values.serviceAccountAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end }}

{{/* How long a runtime pod may wait for its guilds to be moved: its grace period without what comes after. */}}
{{- define "flora.retireSeconds" -}}
{{- $drain := .Values.runtime.config.RUNTIME_DRAIN_SECS | default 10 | float64 | ceil | int -}}
{{- max 0 (sub .Values.runtime.terminationGracePeriodSeconds (add $drain 15)) -}}
{{- end }}
