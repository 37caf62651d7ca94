# The agent's image: the sources as they are, run by the Node that package-lock.json pins, which is
# the one that the tests ran on. The DaemonSet that will start it is not written yet (daemonset/).

FROM node:26-slim AS modules
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends bpftrace iproute2 nftables tpm2-tools util-linux \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=modules /app/node_modules node_modules
COPY package.json ./
COPY attest attest
COPY probes probes
COPY proxy proxy
COPY agent agent

# root: the control plane enters the pods' network namespaces, loads nftables rules there and opens
# the TPM. It starts the data plane, which parses all untrusted bytes, under lanes.uid and without
# any capability.
USER root
ENTRYPOINT ["/app/node_modules/.bin/node", "/app/agent/main.ts"]
CMD ["agent", "run", "--config", "/etc/tidelock/config.yaml"]
