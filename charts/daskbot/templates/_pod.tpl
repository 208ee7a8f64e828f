{{- /* The pod, which Deployment and StatefulSet share. */ -}}
{{- define "daskbot.pod" -}}
metadata:
  labels:
    {{- include "daskbot.selector" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # The daemon reads its configuration once: a new one needs a new pod.
    checksum/config: {{ include "daskbot.config" . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "daskbot.serviceAccountName" . }}
  automountServiceAccountToken: {{ not (empty (include "daskbot.inCluster" .)) }}
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  {{- with .Values.sidecars }}
  initContainers:
    {{- range . }}
    - {{- toYaml (merge (dict "restartPolicy" "Always") .) | nindent 6 }}
    {{- end }}
  {{- end }}
  containers:
    - {{- include "daskbot.container" . | nindent 6 }}
  volumes:
    - name: config
      configMap:
        name: {{ include "daskbot.name" . }}
    - name: tmp
      emptyDir: {}
    - name: state
      {{- if and (include "daskbot.sqlite" .) .Values.persistence.enabled }}
      persistentVolumeClaim:
        claimName: {{ .Values.persistence.existingClaim | default (include "daskbot.name" .) }}
      {{- else }}
      emptyDir: {}
      {{- end }}
    {{- with .Values.adminTokenSecret }}
    - name: admin
      secret:
        secretName: {{ . }}
        defaultMode: 0440 # for the group of the pod's volumes, and nobody else
    {{- end }}
    {{- with .Values.volumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- include "daskbot.placing" . | nindent 2 }}
{{- end }}

{{- define "daskbot.container" -}}
name: daskbot
image: {{ include "daskbot.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: [serve, --config, /etc/daskbot/daskbot.yaml]
{{- with .Values.existingSecret }}
envFrom:
  - secretRef:
      name: {{ . }}
{{- end }}
{{- with .Values.env }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - {name: http, containerPort: {{ include "daskbot.port" . }}}
  {{- with include "daskbot.metricsPort" . }}
  - {name: metrics, containerPort: {{ . }}}
  {{- end }}
startupProbe: # tables may have to be migrated first
  httpGet: {path: /healthz, port: http}
  periodSeconds: 2
  failureThreshold: 90
livenessProbe: # the process alone: a cloud that does not answer is no reason to restart
  httpGet: {path: /healthz, port: http}
  timeoutSeconds: 5
# Store and queue. A cloud that does not answer is no reason to send people away:
# what they ask for is written down, and done when it answers.
readinessProbe:
  httpGet: {path: {{ include "daskbot.readyPath" . | quote }}, port: http}
  timeoutSeconds: 10
{{- if semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version }}
lifecycle: # time for load balancers to look elsewhere
  preStop: {sleep: {seconds: 5}}
{{- end }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
volumeMounts:
  - {name: config, mountPath: /etc/daskbot, readOnly: true}
  - {name: state, mountPath: /var/lib/daskbot}
  - {name: tmp, mountPath: /tmp}
  {{- if .Values.adminTokenSecret }}
  - {name: admin, mountPath: /etc/daskbot-admin, readOnly: true}
  {{- end }}
  {{- with .Values.volumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- /* Which nodes pods may be on, the one of `helm test` too. */ -}}
{{- define "daskbot.nodes" -}}
{{- range $key := list "nodeSelector" "tolerations" "affinity" }}
{{- with get $.Values $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{- define "daskbot.placing" -}}
{{- include "daskbot.nodes" . }}
topologySpreadConstraints:
  {{- with .Values.topologySpreadConstraints }}
  {{- toYaml . | nindent 2 }}
  {{- else }}
  {{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "daskbot.selector" $ | nindent 8 }}
  {{- end }}
  {{- end }}
{{- end }}
