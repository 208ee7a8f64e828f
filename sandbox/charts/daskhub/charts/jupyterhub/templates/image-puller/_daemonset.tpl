{{- /* Images worth having on every node before a user comes: one a line. */}}
{{- define "jupyterhub.imagePuller.images" -}}
{{- if .Values.singleuser.cloudMetadata.blockWithIptables }}
{{ include "jupyterhub.image" (list . .Values.singleuser.networkTools.image) }}
{{- end }}
{{ include "jupyterhub.image" (list . .Values.singleuser.image) }}
{{- if .Values.prePuller.pullProfileListImages }}
{{- range .Values.singleuser.profileList }}
{{- with dig "kubespawner_override" "image" "" . }}
{{ . }}
{{- end }}
{{- end }}
{{- end }}
{{- range .Values.prePuller.extraImages }}
{{ .name }}:{{ .tag }}
{{- end }}
{{- end }}

{{- define "jupyterhub.imagePuller.checksum" -}}
{{- include "jupyterhub.imagePuller.images" . | trim | sha256sum }}
{{- end }}

{{- /* True when there is something new to pull: always on install, on upgrade
       when the images are not those the hub's ConfigMap remembers. */}}
{{- define "jupyterhub.imagePuller.hookWanted" -}}
{{- if .Values.prePuller.hook.enabled }}
{{- if not .Values.prePuller.hook.pullOnlyOnChanges }}true
{{- else }}
{{- $data := (lookup "v1" "ConfigMap" .Release.Namespace (printf "%shub" (include "jupyterhub.prefix" .))).data | default dict }}
{{- if ne (get $data "checksum_hook-image-puller") (include "jupyterhub.imagePuller.checksum" .) }}true{{ end }}
{{- end }}
{{- end }}
{{- end }}

{{- /* The DaemonSet: (list root component). Each init container's image is
       pulled, and does nothing. */}}
{{- define "jupyterhub.imagePuller.daemonset" -}}
{{- $root := index . 0 }}{{ $component := index . 1 }}
{{- $puller := $root.Values.prePuller -}}
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: {{ include "jupyterhub.prefix" $root }}{{ $component }}
  labels:
    {{- include "jupyterhub.labels" . | nindent 4 }}
    {{- if eq $component "hook-image-puller" }}
    hub.jupyter.org/deletable: "true"
    {{- end }}
  {{- if eq $component "hook-image-puller" }}
  annotations:
    {{- include "jupyterhub.imagePuller.hook" "-10" | nindent 4 }}
  {{- end }}
spec:
  {{- with $puller.revisionHistoryLimit }}
  revisionHistoryLimit: {{ . }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "jupyterhub.selector" . | nindent 6 }}
  updateStrategy:
    type: RollingUpdate
    rollingUpdate:
      maxUnavailable: 100%
  template:
    metadata:
      labels:
        {{- include "jupyterhub.podLabels" . | nindent 8 }}
        {{- with $puller.labels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with $puller.annotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      terminationGracePeriodSeconds: 0
      automountServiceAccountToken: false
      {{- if $root.Values.scheduling.podPriority.enabled }}
      {{- /* The hook runs before the release's classes exist. */}}
      {{- if eq $component "continuous-image-puller" }}
      priorityClassName: {{ include "jupyterhub.clusterPrefix" $root }}image-puller-priority
      {{- end }}
      {{- end }}
      {{- with $root.Values.singleuser.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with concat $root.Values.scheduling.userPods.tolerations $root.Values.singleuser.extraTolerations $puller.extraTolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if eq $root.Values.scheduling.userPods.nodeAffinity.matchNodePurpose "require" }}
      {{- include "jupyterhub.nodeAffinity" (list "require" "user") | nindent 6 }}
      {{- end }}
      {{- include "jupyterhub.pullSecrets" (list $root $root.Values.singleuser.image) | nindent 6 }}
      initContainers:
        {{- range $i, $image := include "jupyterhub.imagePuller.images" $root | trim | splitList "\n" }}
        - name: image-pull-{{ $i }}
          image: {{ $image }}
          command: [/bin/sh, -c, echo "Pulling complete"]
          {{- with $puller.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- with $puller.containerSecurityContext }}
          securityContext:
            {{- toYaml . | nindent 12 }}
          {{- end }}
        {{- end }}
      containers:
        - name: pause
          image: {{ include "jupyterhub.image" (list $root $puller.pause.image) }}
          {{- with $puller.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- with $puller.pause.containerSecurityContext }}
          securityContext:
            {{- toYaml . | nindent 12 }}
          {{- end }}
{{- end }}

{{- define "jupyterhub.imagePuller.hook" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
helm.sh/hook-weight: {{ . | quote }}
{{- end }}
