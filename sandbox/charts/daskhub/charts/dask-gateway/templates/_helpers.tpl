{{- /* <component>-<release>-dask-gateway, or <component>-<release> when the
       release's name says so already: (list root component). */}}
{{- define "dask-gateway.name" -}}
{{- $root := index . 0 -}}
{{ index . 1 }}-{{ if contains "dask-gateway" $root.Release.Name }}{{ $root.Release.Name }}{{ else }}{{ $root.Release.Name }}-dask-gateway{{ end }}
{{- end }}

{{- define "dask-gateway.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: dask-gateway
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "dask-gateway.labels" -}}
{{- $root := index . 0 -}}
{{ include "dask-gateway.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ $root.Chart.Name }}-{{ $root.Chart.Version }}
gateway.dask.org/instance: {{ if contains "dask-gateway" $root.Release.Name }}{{ $root.Release.Name }}{{ else }}{{ $root.Release.Name }}-dask-gateway{{ end }}
{{- end }}

{{- define "dask-gateway.account" -}}
{{- $root := index . 0 -}}
{{ (index $root.Values.rbac (index . 2)).serviceAccountName | default (include "dask-gateway.name" (list $root (index . 1))) }}
{{- end }}

{{- define "dask-gateway.placement" -}}
{{- range $key := list "nodeSelector" "affinity" "tolerations" "imagePullSecrets" }}
{{- with get $ $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}
