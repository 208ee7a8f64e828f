{{- /* Each secret is the given value, else what the Secret hub already holds,
       else random. A render without a cluster (helm template, dry runs) finds
       no Secret, so it differs from run to run. */}}
{{- define "jupyterhub.hub.secretName" -}}
{{ include "jupyterhub.prefix" . }}hub
{{- end }}

{{- /* (list root key given bytes) */}}
{{- define "jupyterhub.keptSecret" -}}
{{- $root := index . 0 }}{{ $key := index . 1 }}{{ $given := index . 2 }}
{{- $data := (lookup "v1" "Secret" $root.Release.Namespace (include "jupyterhub.hub.secretName" $root)).data | default dict }}
{{- if $given -}}
{{ $given }}
{{- else if hasKey $data $key -}}
{{ index $data $key | b64dec }}
{{- else -}}
{{ randAlphaNum (index . 3) }}
{{- end }}
{{- end }}

{{- define "jupyterhub.proxyToken" -}}
{{- $key := "hub.config.ConfigurableHTTPProxy.auth_token" }}
{{- $given := .Values.proxy.secretToken | default (dig "ConfigurableHTTPProxy" "auth_token" "" .Values.hub.config) }}
{{- include "jupyterhub.keptSecret" (list . $key $given 64) }}
{{- end }}

{{- /* Hexadecimal, as JupyterHub wants its cookie secret. */}}
{{- define "jupyterhub.cookieSecret" -}}
{{- $key := "hub.config.JupyterHub.cookie_secret" }}
{{- $given := .Values.hub.cookieSecret | default (dig "JupyterHub" "cookie_secret" "" .Values.hub.config) }}
{{- $kept := include "jupyterhub.keptSecret" (list . $key $given 32) }}
{{- if regexMatch "^[0-9a-f]{64}$" $kept }}{{ $kept }}{{ else }}{{ sha256sum $kept }}{{ end }}
{{- end }}

{{- define "jupyterhub.cryptKey" -}}
{{- $key := "hub.config.CryptKeeper.keys" }}
{{- $given := join ";" (dig "CryptKeeper" "keys" list .Values.hub.config) }}
{{- $kept := include "jupyterhub.keptSecret" (list . $key $given 32) }}
{{- if or $given (regexMatch "^[0-9a-f]{64}$" $kept) }}{{ $kept }}{{ else }}{{ sha256sum $kept }}{{ end }}
{{- end }}
