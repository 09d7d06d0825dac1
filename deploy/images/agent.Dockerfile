# The agent, with the nginx it tests configurations with: the same release as the nginx container of the proxy's pod.
# Build from the top of the repository: docker build -f deploy/images/agent.Dockerfile -t ferry-agent:0.1.0 .
FROM nginx:1.28-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-venv && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/ferry
COPY deploy/requirements-agent.txt /build/requirements.txt
RUN /opt/ferry/bin/pip install --no-cache-dir --require-hashes -r /build/requirements.txt
# Nothing of the bot: no Slack, no Redis, no signing.
COPY k8s /opt/ferry/lib/python3.11/site-packages/k8s
COPY templates /opt/ferry/lib/python3.11/site-packages/templates
RUN printf '#!/opt/ferry/bin/python\nimport sys\nfrom k8s.agent.__main__ import main\nsys.exit(main())\n' > /opt/ferry/bin/ferry-agent \
    && chmod 0755 /opt/ferry/bin/ferry-agent \
    && /opt/ferry/bin/python -m compileall -q /opt/ferry/lib

FROM nginx:1.28-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends python3 && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/ferry /opt/ferry
ENV PATH=/opt/ferry/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# nginx's image stops with SIGQUIT, which would end Python on the spot.
STOPSIGNAL SIGTERM
USER 101:101
EXPOSE 9080
ENTRYPOINT ["ferry-agent"]
