"""The laptop deployment: the real bot, agents, nginx, Redis, Prometheus and Alertmanager around three stand-ins.

The stand-ins (a Kubernetes API, a Slack, a miniature kubelet and ingress) keep the real ones' limits and refusals. This
package may import everything; nothing may import it, except the tests.
"""
