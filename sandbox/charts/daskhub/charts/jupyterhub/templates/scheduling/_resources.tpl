{{- /* A quantity of KubeSpawner (1G means 2^30 there) as Kubernetes reads it. */}}
{{- define "jupyterhub.memory" -}}
{{- $text := . | toString }}
{{- if regexMatch "^[0-9.]+[KMGT]$" $text }}{{ $text }}i{{ else }}{{ $text }}{{ end }}
{{- end }}

{{- /* What a user's server asks for and may use. */}}
{{- define "jupyterhub.userResources" -}}
{{- $one := .Values.singleuser }}
{{- $requests := deepCopy $one.extraResource.guarantees }}
{{- $limits := deepCopy $one.extraResource.limits }}
{{- with $one.cpu.guarantee }}{{ $_ := set $requests "cpu" (toString .) }}{{ end }}
{{- with $one.memory.guarantee }}{{ $_ := set $requests "memory" (include "jupyterhub.memory" .) }}{{ end }}
{{- with $one.cpu.limit }}{{ $_ := set $limits "cpu" (toString .) }}{{ end }}
{{- with $one.memory.limit }}{{ $_ := set $limits "memory" (include "jupyterhub.memory" .) }}{{ end }}
{{- toYaml (dict "requests" $requests "limits" $limits) }}
{{- end }}
