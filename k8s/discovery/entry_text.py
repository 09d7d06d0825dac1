"""A proposal as the text of a small `migration.yaml`, in the customer's own form. Pure; `k8s.wish_document` reads it back."""

from k8s import model

_DEFAULTS = model.Service(
    "defaults", model.Exposure(0, "old.defaults.invalid", "new.defaults.invalid"), model.Backend("old.defaults.invalid", 80)
)


def document(service: model.Service, mapping: model.ServiceMapping | None) -> str:
    """The list `services` with this one entry, and `service_mappings` where there is one. What is at its default is left out."""
    lines = ["services:", *_entry(service)]
    if mapping is not None:
        lines += [
            "service_mappings:",
            f'  - old_service: "{mapping.old_service}"',
            f'    old_namespace: "{mapping.old_namespace}"',
            f'    new_service: "{mapping.new_service}"',
            f'    new_namespace: "{mapping.new_namespace}"',
            f'    new_cluster_endpoint: "{mapping.new_cluster_endpoint}"',
        ]
    return "\n".join(lines) + "\n"


def _entry(service: model.Service) -> list[str]:
    exposure = service.exposure
    lines = [
        f'  - name: "{service.name}"',
        f'    old_host: "{exposure.old_host}"',
        f'    new_host: "{exposure.new_host}"',
        *([f"    new_port: {exposure.new_port}"] if exposure.new_port != _DEFAULTS.exposure.new_port else []),
        f'    old_backend: "{service.old_backend}"',
        f"    migration_percentage: {exposure.weight}  # 0-100, share of the new cluster",
        f'    strategy: "{exposure.strategy}"  # weight, header, ip, user',
        "    enabled: true",
    ]
    if exposure.sticky != model.Sticky():
        lines.append(f'    sticky: "{exposure.sticky}"')
    lines += [
        f"    {name}: {getattr(service, name):g}s"
        for name in ("timeout", "upgrade_timeout")
        if getattr(service, name) != getattr(_DEFAULTS, name)
    ]
    if service.entry != _DEFAULTS.entry:
        lines.append(f"    entry: {service.entry}")
    if service.paths:
        lines.append("    paths:")
    for one in service.paths:
        lines += [f'      - path: "{one.path}"', f'        backend: "{one.backend}"']
    return lines
