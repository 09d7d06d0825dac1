# The bot. Build from the top of the repository: docker build -f deploy/images/bot.Dockerfile -t ferry-bot:0.1.0 .
FROM python:3.11-slim AS build
RUN python -m venv /opt/ferry
COPY deploy/requirements.txt /build/requirements.txt
RUN /opt/ferry/bin/pip install --no-cache-dir --require-hashes -r /build/requirements.txt
# The rooms are copied, not installed: building a wheel would fetch a build backend that no hash pins.
COPY bot /opt/ferry/lib/python3.11/site-packages/bot
COPY handlers /opt/ferry/lib/python3.11/site-packages/handlers
COPY k8s /opt/ferry/lib/python3.11/site-packages/k8s
COPY templates /opt/ferry/lib/python3.11/site-packages/templates
RUN printf '#!/opt/ferry/bin/python\nimport sys\nfrom bot.__main__ import main\nsys.exit(main())\n' > /opt/ferry/bin/ferry \
    && chmod 0755 /opt/ferry/bin/ferry \
    && /opt/ferry/bin/python -m compileall -q /opt/ferry/lib

FROM python:3.11-slim
COPY --from=build /opt/ferry /opt/ferry
ENV PATH=/opt/ferry/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
EXPOSE 8080
ENTRYPOINT ["ferry"]
CMD ["run"]
