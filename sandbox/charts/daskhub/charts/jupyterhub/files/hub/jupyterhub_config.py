"""The hub's configuration, made from the chart's values in the Secret hub."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from z2jh import get_config, get_name, get_secret_value, set_config_if_not_none

release = os.environ["HELM_RELEASE_NAME"]
namespace = os.environ.get("POD_NAMESPACE", "default")
labels = {
    "app": get_config("nameOverride", get_config("Chart.Name", "jupyterhub")),
    "release": release,
    "app.kubernetes.io/name": get_config("nameOverride", get_config("Chart.Name", "jupyterhub")),
    "app.kubernetes.io/instance": release,
}


# --- hub and proxy ----------------------------------------------------------
base_url = get_config("hub.baseUrl", "/")
hub_service = get_name("hub")
c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
c.JupyterHub.base_url = base_url
c.JupyterHub.bind_url = "http://:8000" + base_url
c.JupyterHub.hub_bind_url = "http://:8081"
c.JupyterHub.hub_connect_url = f"http://{hub_service}:8081"
c.JupyterHub.cleanup_servers = False
c.JupyterHub.cleanup_proxy = False
c.JupyterHub.last_activity_interval = 60
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}
c.JupyterHub.cookie_secret = bytes.fromhex(get_secret_value("hub.config.JupyterHub.cookie_secret"))
c.CryptKeeper.keys = get_secret_value("hub.config.CryptKeeper.keys").split(";")
c.ConfigurableHTTPProxy.api_url = f"http://{get_name('proxy-api')}:8001"
c.ConfigurableHTTPProxy.should_start = False

db_type = get_config("hub.db.type")
if db_type == "sqlite-pvc":
    c.JupyterHub.db_url = "sqlite:///jupyterhub.sqlite"
elif db_type == "sqlite-memory":
    c.JupyterHub.db_url = "sqlite://"
else:
    set_config_if_not_none(c.JupyterHub, "db_url", "hub.db.url")

for trait, key in {
    "concurrent_spawn_limit": "concurrentSpawnLimit",
    "active_server_limit": "activeServerLimit",
    "allow_named_servers": "allowNamedServers",
    "named_server_limit_per_user": "namedServerLimitPerUser",
    "authenticate_prometheus": "authenticatePrometheus",
    "redirect_to_server": "redirectToServer",
    "shutdown_on_logout": "shutdownOnLogout",
    "template_paths": "templatePaths",
    "template_vars": "templateVars",
}.items():
    set_config_if_not_none(c.JupyterHub, trait, "hub." + key)
set_config_if_not_none(c.Spawner, "consecutive_failure_limit", "hub.consecutiveFailureLimit")

# --- servers ----------------------------------------------------------------
c.KubeSpawner.namespace = namespace
c.KubeSpawner.component_label = "singleuser-server"
c.KubeSpawner.common_labels = labels
c.KubeSpawner.environment = {}

image = get_config("singleuser.image.name")
tag = get_config("singleuser.image.tag", get_config("Chart.Version"))
c.KubeSpawner.image = f"{image}:{tag}" if tag else image

pull_secrets = get_config("imagePullSecrets", []) + get_config("singleuser.image.pullSecrets", [])
if get_config("imagePullSecret.create") and get_config("imagePullSecret.automaticReferenceInjection"):
    pull_secrets.append(get_name("image-pull-secret"))
c.KubeSpawner.image_pull_secrets = pull_secrets

for trait, key in {
    "image_pull_policy": "image.pullPolicy",
    "start_timeout": "startTimeout",
    "events_enabled": "events",
    "extra_labels": "extraLabels",
    "extra_annotations": "extraAnnotations",
    "uid": "uid",
    "fs_gid": "fsGid",
    "service_account": "serviceAccountName",
    "node_selector": "nodeSelector",
    "init_containers": "initContainers",
    "extra_containers": "extraContainers",
    "lifecycle_hooks": "lifecycleHooks",
    "extra_pod_config": "extraPodConfig",
    "extra_resource_guarantees": "extraResource.guarantees",
    "extra_resource_limits": "extraResource.limits",
    "allow_privilege_escalation": "allowPrivilegeEscalation",
    "cpu_limit": "cpu.limit",
    "cpu_guarantee": "cpu.guarantee",
    "mem_limit": "memory.limit",
    "mem_guarantee": "memory.guarantee",
    "cmd": "cmd",
    "default_url": "defaultUrl",
    "pod_name_template": "podNameTemplate",
    "profile_list": "profileList",
}.items():
    set_config_if_not_none(c.KubeSpawner, trait, "singleuser." + key)

if get_config("scheduling.userScheduler.enabled"):
    c.KubeSpawner.scheduler_name = f"{get_config('fullnameOverride') or release}-user-scheduler"
if get_config("scheduling.podPriority.enabled"):
    c.KubeSpawner.priority_class_name = f"{get_config('fullnameOverride') or release}-default-priority"
c.KubeSpawner.tolerations = get_config("scheduling.userPods.tolerations", []) + get_config("singleuser.extraTolerations", [])

# Affinities of the chart, then those of the values.
affinity = {"node_affinity": "extraNodeAffinity", "pod_affinity": "extraPodAffinity", "pod_anti_affinity": "extraPodAntiAffinity"}
for trait, key in affinity.items():
    for strength in ("preferred", "required"):
        setattr(c.KubeSpawner, f"{trait}_{strength}", list(get_config(f"singleuser.{key}.{strength}", [])))
purpose = {"matchExpressions": [{"key": "hub.jupyter.org/node-purpose", "operator": "In", "values": ["user"]}]}
mode = get_config("scheduling.userPods.nodeAffinity.matchNodePurpose")
if mode == "prefer":
    c.KubeSpawner.node_affinity_preferred.append({"weight": 100, "preference": purpose})
elif mode == "require":
    c.KubeSpawner.node_affinity_required.append(purpose)

# --- home, files and environment --------------------------------------------
volumes, mounts = [], []
home = get_config("singleuser.storage.homeMountPath")
storage = get_config("singleuser.storage.type")
if storage == "dynamic":
    c.KubeSpawner.storage_pvc_ensure = True
    c.KubeSpawner.storage_capacity = get_config("singleuser.storage.capacity")
    c.KubeSpawner.storage_access_modes = get_config("singleuser.storage.dynamic.storageAccessModes")
    c.KubeSpawner.storage_extra_labels = get_config("singleuser.storage.extraLabels", {})
    set_config_if_not_none(c.KubeSpawner, "storage_class", "singleuser.storage.dynamic.storageClass")
    set_config_if_not_none(c.KubeSpawner, "pvc_name_template", "singleuser.storage.dynamic.pvcNameTemplate")
    volume = get_config("singleuser.storage.dynamic.volumeNameTemplate", "home")
    volumes.append({"name": volume, "persistentVolumeClaim": {"claimName": "{pvc_name}"}})
    mounts.append({"name": volume, "mountPath": home})
elif storage == "static":
    volumes.append({"name": "home", "persistentVolumeClaim": {"claimName": get_config("singleuser.storage.static.pvcName")}})
    mounts.append({"name": "home", "mountPath": home, "subPath": get_config("singleuser.storage.static.subPath")})

files = get_config("singleuser.extraFiles", {})
if files:
    items = []
    for key, file in files.items():
        items.append({"key": key, "path": key, **({"mode": file["mode"]} if file.get("mode") else {})})
        mounts.append({"name": "files", "mountPath": file["mountPath"], "subPath": key})
    volumes.append({"name": "files", "secret": {"secretName": get_name("singleuser"), "items": items}})


def as_list(value):
    return list(value.values()) if isinstance(value, dict) else list(value)


c.KubeSpawner.volumes = volumes + as_list(get_config("singleuser.storage.extraVolumes", []))
c.KubeSpawner.volume_mounts = mounts + as_list(get_config("singleuser.storage.extraVolumeMounts", []))
for name, value in get_config("singleuser.extraEnv", {}).items():
    c.KubeSpawner.environment[name] = value

if get_config("singleuser.cloudMetadata.blockWithIptables"):
    tools = get_config("singleuser.networkTools.image.name")
    version = get_config("singleuser.networkTools.image.tag", get_config("Chart.Version"))
    address = get_config("singleuser.cloudMetadata.ip")
    c.KubeSpawner.init_containers = list(get_config("singleuser.initContainers", [])) + [{
        "name": "block-cloud-metadata",
        "image": f"{tools}:{version}",
        "command": ["iptables", "--append", "OUTPUT", "--protocol", "tcp", "--destination", address, "--jump", "DROP"],
        "securityContext": {"runAsUser": 0, "privileged": True, "capabilities": {"add": ["NET_ADMIN"]}},
    }]

# --- services and roles -----------------------------------------------------
c.JupyterHub.services, c.JupyterHub.load_roles = [], []
if get_config("cull.enabled"):
    scopes = ["list:users", "read:users:activity", "read:servers", "delete:servers"]
    command = ["python3", "-m", "jupyterhub_idle_culler"]
    for flag, key in {"timeout": "timeout", "cull-every": "every", "concurrency": "concurrency", "max-age": "maxAge"}.items():
        command.append(f"--{flag}={get_config('cull.' + key)}")
    command.append(f"--url=http://localhost:8081{base_url.rstrip('/')}/hub/api")
    if get_config("cull.users"):
        command.append("--cull-users")
        scopes.append("admin:users")
    if get_config("cull.removeNamedServers"):
        command.append("--remove-named-servers")
    if not get_config("cull.adminUsers"):
        command.append("--cull-admin-users=false")
    c.JupyterHub.services.append({"name": "jupyterhub-idle-culler", "command": command})
    c.JupyterHub.load_roles.append({"name": "jupyterhub-idle-culler", "scopes": scopes, "services": ["jupyterhub-idle-culler"]})

for key, service in get_config("hub.services", {}).items():
    service = dict(service or {})
    service.setdefault("name", key)
    service.pop("apiToken", None)
    service["api_token"] = get_secret_value(f"hub.services.{key}.apiToken")
    c.JupyterHub.services.append(service)
for key, role in get_config("hub.loadRoles", {}).items():
    role = dict(role or {})
    role.setdefault("name", key)
    c.JupyterHub.load_roles.append(role)

# --- last word: hub.config, then hub.extraConfig ------------------------------
for section, traits in get_config("hub.config", {}).items():
    if section[:1].islower():
        continue
    for trait, value in (traits or {}).items():
        if (section, trait) not in (("JupyterHub", "cookie_secret"), ("CryptKeeper", "keys"), ("ConfigurableHTTPProxy", "auth_token")):
            setattr(c[section], trait, value)
if get_config("debug.enabled"):
    c.JupyterHub.log_level = "DEBUG"
    c.Spawner.debug = True
for key, code in sorted(get_config("hub.extraConfig", {}).items()):
    exec(compile(code, f"hub.extraConfig/{key}", "exec"))
