{{- /* The name of the Secret with the store's password, or a sentence on what to do. */}}
{{- define "wirewatch.password" -}}
{{ required "set store.passwordSecret to the name of a Secret with the key STORE_PASSWORD (kubectl create secret generic NAME --from-literal=STORE_PASSWORD=$(openssl rand -hex 24)), or store.urlSecret for a store elsewhere" .Values.store.passwordSecret }}
{{- end }}
