{{- define "daskbot.name" -}}
{{ contains .Chart.Name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "daskbot.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "daskbot.labels" -}}
{{ include "daskbot.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "daskbot.serviceAccountName" -}}
{{ .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary (include "daskbot.name" .) "default") }}
{{- end }}

{{- define "daskbot.image" -}}
{{- with .Values.image.digest -}}
{{ $.Values.image.repository }}@{{ . }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{- /* The configuration file: what the values say, and where the volume is. */ -}}
{{- define "daskbot.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $store := get $config "store" | default dict -}}
{{- if not (get $store "url") -}}{{- $_ := set $store "url" "sqlite:/var/lib/daskbot/daskbot.db" -}}{{- end -}}
{{- $auth := get $config "auth" | default dict -}}
{{- if not (hasKey $auth "adminTokenFile") -}}
{{- $sqlite := and (kindIs "string" $store.url) (hasPrefix "sqlite:" (toString $store.url)) -}}
{{- $file := $sqlite | ternary "/var/lib/daskbot/admin.token" "" -}}
{{- $_ := set $auth "adminTokenFile" (.Values.adminTokenSecret | empty | ternary $file "/etc/daskbot-admin/admin.token") -}}
{{- end -}}
{{- $_ := set $config "store" $store -}}
{{- $_ := set $config "auth" $auth -}}
{{- toYaml $config -}}
{{- end }}

{{- /* Not empty when the store is a file, which one pod at a time may hold. */ -}}
{{- define "daskbot.sqlite" -}}
{{- $url := (include "daskbot.config" . | fromYaml).store.url -}}
{{- if and (kindIs "string" $url) (hasPrefix "sqlite:" (toString $url)) -}}true{{- end -}}
{{- end }}

{{- define "daskbot.port" -}}
{{ .Values.config.server.addr | toString | splitList ":" | last }}
{{- end }}

{{- /* What says whether a pod is sent requests: store and queue, not the cloud. */ -}}
{{- define "daskbot.readyPath" -}}
/readyz?exclude=cloud
{{- end }}

{{- /* How many daemons run: none while something is done to their store. */ -}}
{{- define "daskbot.replicas" -}}
{{- .Values.maintenance.args | empty | ternary .Values.replicas 0 -}}
{{- end }}

{{- /* The port of the metrics, empty where they are beside everything else. */ -}}
{{- define "daskbot.metricsPort" -}}
{{- with get .Values.config.server "metricsAddr" -}}{{ . | toString | splitList ":" | last }}{{- end -}}
{{- end }}

{{- /* What the pod of `helm test` is known by. */ -}}
{{- define "daskbot.testSelector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* The host people use: that of the external address, without port. */ -}}
{{- define "daskbot.host" -}}
{{ (urlParse (.Values.config.server.externalUrl | toString)).host | splitList ":" | first }}
{{- end }}

{{- /* Not empty when the daemon works in its own cluster. */ -}}
{{- define "daskbot.inCluster" -}}
{{- if .Values.rbac.hostEnvironments -}}true{{- end -}}
{{- range $name, $given := get .Values.config "clusters" | default dict -}}
{{- if get $given "inCluster" -}}true{{- end -}}
{{- end -}}
{{- end }}

{{- /* What schema and documentation promise, for those who skip the schema. */ -}}
{{- define "daskbot.check" -}}
{{- if and (include "daskbot.sqlite" .) (gt (int .Values.replicas) 1) -}}
{{- fail (printf "config.store.url is an SQLite file, which one daemon at a time may hold; %d replicas need PostgreSQL (docs/INSTALL.md)" (int .Values.replicas)) -}}
{{- end -}}
{{- end }}
