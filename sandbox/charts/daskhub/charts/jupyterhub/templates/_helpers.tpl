{{- /* Names. fullnameOverride "" (the default) means no prefix inside the
       namespace, and the release's name for what the whole cluster shares. */}}
{{- define "jupyterhub.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "jupyterhub.prefix" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride }}-{{ end }}
{{- end }}

{{- define "jupyterhub.clusterPrefix" -}}
{{- .Values.fullnameOverride | default .Release.Name }}-
{{- end }}

{{- define "jupyterhub.schedulerName" -}}
{{ include "jupyterhub.clusterPrefix" . }}user-scheduler
{{- end }}

{{- /* Labels. Both take (list root component). */}}
{{- define "jupyterhub.selector" -}}
{{- $root := index . 0 -}}
app: {{ include "jupyterhub.name" $root }}
component: {{ index . 1 }}
release: {{ $root.Release.Name }}
{{- end }}

{{- define "jupyterhub.labels" -}}
{{- $root := index . 0 -}}
{{ include "jupyterhub.selector" . }}
chart: {{ $root.Chart.Name }}-{{ $root.Chart.Version | replace "+" "_" }}
heritage: {{ $root.Release.Service }}
app.kubernetes.io/name: {{ include "jupyterhub.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ $root.Chart.Name }}-{{ $root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* Pods carry no chart version, so that an upgrade of the chart alone
       restarts nothing. */}}
{{- define "jupyterhub.podLabels" -}}
{{- $root := index . 0 -}}
{{ include "jupyterhub.selector" . }}
app.kubernetes.io/name: {{ include "jupyterhub.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
{{- end }}

{{- /* Image of (list root image): name and tag, the chart's version without one. */}}
{{- define "jupyterhub.image" -}}
{{- $root := index . 0 }}{{ $image := index . 1 -}}
{{ $image.name }}:{{ $image.tag | default $root.Chart.Version }}
{{- end }}

{{- define "jupyterhub.userSchedulerTag" -}}
{{- .Values.scheduling.userScheduler.image.tag | default (ternary "v1.30.14" "v1.26.11" (semverCompare ">=4.0.0-0" .Chart.Version)) }}
{{- end }}

{{- define "jupyterhub.pullSecrets" -}}
{{- $root := index . 0 }}
{{- $names := list }}
{{- range concat $root.Values.imagePullSecrets ((index . 1).pullSecrets | default list) }}
{{- $names = append $names (ternary . (dict "name" .) (kindIs "map" .)) }}
{{- end }}
{{- if and $root.Values.imagePullSecret.create $root.Values.imagePullSecret.automaticReferenceInjection }}
{{- $names = append $names (dict "name" (printf "%simage-pull-secret" (include "jupyterhub.prefix" $root))) }}
{{- end }}
{{- if $names }}
imagePullSecrets:
  {{- toYaml $names | nindent 2 }}
{{- end }}
{{- end }}

{{- define "jupyterhub.pullPolicy" -}}
{{- with . }}
imagePullPolicy: {{ . }}
{{- end }}
{{- end }}

{{- /* Affinity to nodes of a purpose: (list mode purpose). */}}
{{- define "jupyterhub.nodeAffinity" -}}
{{- $match := dict "matchExpressions" (list (dict "key" "hub.jupyter.org/node-purpose" "operator" "In" "values" (list (index . 1)))) }}
{{- if eq (index . 0) "prefer" }}
affinity:
  nodeAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        preference:
          {{- toYaml $match | nindent 10 }}
{{- else if eq (index . 0) "require" }}
affinity:
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms:
        - {{- toYaml $match | nindent 10 }}
{{- end }}
{{- end }}

{{- /* Where core pods go: (list root {nodeSelector, tolerations}). */}}
{{- define "jupyterhub.corePlacement" -}}
{{- $root := index . 0 }}{{ $own := index . 1 }}
{{- with $own.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with concat $root.Values.scheduling.corePods.tolerations ($own.tolerations | default list) }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- include "jupyterhub.nodeAffinity" (list $root.Values.scheduling.corePods.nodeAffinity.matchNodePurpose "core") }}
{{- end }}

{{- define "jupyterhub.priorityClass" -}}
{{- if .Values.scheduling.podPriority.enabled }}
priorityClassName: {{ include "jupyterhub.clusterPrefix" . }}default-priority
{{- end }}
{{- end }}

{{- /* Environment: a map of name to a value or to the rest of an EnvVar, or a list. */}}
{{- define "jupyterhub.extraEnv" -}}
{{- if kindIs "slice" . }}
{{- with . }}{{ toYaml . }}{{ end }}
{{- else }}
{{- range $name, $value := . }}
{{- if kindIs "map" $value }}
- {{ merge (dict "name" $name) $value | toJson }}
{{- else }}
- {{ dict "name" $name "value" ($value | toString) | toJson }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "jupyterhub.serviceAccount" -}}
{{- $root := index . 0 }}{{ $own := index . 1 -}}
{{ $own.name | default (ternary (printf "%s%s" (include "jupyterhub.prefix" $root) (index . 2)) "default" $own.create) }}
{{- end }}

{{- /* The data of extraFiles, for a Secret: (list of files). */}}
{{- define "jupyterhub.extraFiles.stringData" -}}
{{- range $key, $file := . }}
{{- if $file.stringData }}
{{ $key | quote }}: |
  {{- $file.stringData | nindent 2 }}
{{- else if $file.data }}
{{- if hasSuffix ".toml" $file.mountPath }}
{{ $key | quote }}: {{ toToml $file.data | toJson }}
{{- else if or (hasSuffix ".yaml" $file.mountPath) (hasSuffix ".yml" $file.mountPath) }}
{{ $key | quote }}: {{ toYaml $file.data | toJson }}
{{- else }}
{{ $key | quote }}: {{ toJson $file.data | toJson }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "jupyterhub.extraFiles.data" -}}
{{- range $key, $file := . }}
{{- if $file.binaryData }}
{{ $key | quote }}: {{ $file.binaryData | replace "\n" "" | quote }}
{{- end }}
{{- end }}
{{- end }}
