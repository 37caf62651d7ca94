# The agent's image: the bundle (npm run bundle), the Node that package-lock.json pins, which is the one
# that the tests ran on, and the programs that the agent calls. No npm, no node_modules, no compiler.

FROM node:26-slim AS bundle
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --include=dev
COPY tsconfig.json ./
COPY attest attest
COPY probes probes
COPY proxy proxy
COPY agent agent
COPY daemonset/bundle.ts daemonset/bundle.ts
RUN node_modules/.bin/node daemonset/bundle.ts --out /app \
 && install -m 755 node_modules/node-linux-*/bin/node /node

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends bpftrace libatomic1 nftables tpm2-tools util-linux \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 15008 tidelock \
 && useradd --no-create-home --uid 15008 --gid 15008 --shell /usr/sbin/nologin tidelock
COPY --from=bundle /node /usr/local/bin/node
COPY --from=bundle /app /opt/tidelock
RUN ln -s /opt/tidelock/tidelock.mjs /usr/local/bin/tidelock && tidelock version

# root, of whose capabilities daemonset/base leaves few: the control plane enters the pods' network
# namespaces, loads nftables rules there and opens the TPM. It starts the data plane, which parses all
# untrusted bytes, as user tidelock (lanes.uid) without any.
USER root
ENTRYPOINT ["tidelock"]
CMD ["agent", "run", "--config", "/etc/tidelock/config.yaml"]
