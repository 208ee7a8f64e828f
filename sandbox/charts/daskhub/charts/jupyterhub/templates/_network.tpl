{{- /* Egress rules of a policy from its egressAllowRules and egress. */}}
{{- define "jupyterhub.egress" -}}
{{- $allow := .egressAllowRules }}
{{- if $allow.dnsPortsPrivateIPs }}
- ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
  to: [{ipBlock: {cidr: 10.0.0.0/8}}, {ipBlock: {cidr: 172.16.0.0/12}}, {ipBlock: {cidr: 192.168.0.0/16}}]
{{- end }}
{{- if $allow.dnsPortsKubeSystemNamespace }}
- ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
  to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}]
{{- end }}
{{- if $allow.dnsPortsCloudMetadataServer }}
- ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
  to: [{ipBlock: {cidr: 169.254.169.254/32}}]
{{- end }}
{{- if $allow.nonPrivateIPs }}
- to:
    - ipBlock:
        cidr: 0.0.0.0/0
        except: [10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 169.254.169.254/32]
{{- end }}
{{- if $allow.privateIPs }}
- to: [{ipBlock: {cidr: 10.0.0.0/8}}, {ipBlock: {cidr: 172.16.0.0/12}}, {ipBlock: {cidr: 192.168.0.0/16}}]
{{- end }}
{{- if $allow.cloudMetadataServer }}
- to: [{ipBlock: {cidr: 169.254.169.254/32}}]
{{- end }}
{{- with .egress }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* Pods that carry an access label may come in: (list policy label). */}}
{{- define "jupyterhub.ingressFrom" -}}
- podSelector:
    matchLabels:
      {{ index . 1 }}: "true"
{{- if eq (index . 0).interNamespaceAccessLabels "accept" }}
  namespaceSelector: {}
{{- end }}
{{- end }}
