{{- define "dask.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* The release's name, with -dask after it unless it says dask already. */}}
{{- define "dask.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- /* Labels: (list root component). */}}
{{- define "dask.selector" -}}
{{- $root := index . 0 -}}
app: {{ include "dask.name" $root }}
release: {{ $root.Release.Name | quote }}
component: {{ index . 1 }}
{{- end }}

{{- define "dask.labels" -}}
{{- $root := index . 0 -}}
{{ include "dask.selector" . }}
chart: {{ $root.Chart.Name }}-{{ $root.Chart.Version }}
heritage: {{ $root.Release.Service | quote }}
app.kubernetes.io/name: {{ include "dask.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ $root.Chart.Name }}-{{ $root.Chart.Version }}
{{- end }}

{{- define "dask.image" -}}
{{- $root := index . 0 }}{{ $image := index . 1 -}}
{{ $image.repository }}:{{ $image.tag | default $root.Chart.AppVersion }}
{{- end }}

{{- define "dask.placement" -}}
{{- with .image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- range $key := list "nodeSelector" "affinity" "tolerations" "securityContext" }}
{{- with get $ $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- with (.mounts | default dict).volumes }}
volumes:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Threads for a CPU limit: whole ones, at least one. */}}
{{- define "dask.threads" -}}
{{- $text := toString . }}
{{- if hasSuffix "m" $text -}}
{{ max 1 (div (trimSuffix "m" $text | int) 1000) }}
{{- else -}}
{{ max 1 (float64 $text | floor | int) }}
{{- end }}
{{- end }}
