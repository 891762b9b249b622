{{/* Stores need no account, and run as their images' own users. Each takes {root, values}. */}}
{{- define "flora.storePod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- $user := dict "runAsUser" .values.runAsUser "runAsGroup" .values.runAsUser "fsGroup" .values.runAsUser }}
  {{- toYaml (merge $user (deepCopy .root.Values.podSecurityContext)) | nindent 2 }}
{{- end }}

{{- define "flora.storeContainer" -}}
image: {{ .values.image | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
{{- with .values.command }}
command: {{ toJson . }}
{{- end }}
securityContext:
  {{- toYaml .root.Values.containerSecurityContext | nindent 2 }}
{{- with .values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "flora.storeClaim" -}}
- metadata:
    name: data
  spec:
    accessModes: [ReadWriteOnce]
    {{- with .storageClassName }}
    storageClassName: {{ . }}
    {{- end }}
    resources:
      requests: {storage: {{ .size }}}
{{- end }}
