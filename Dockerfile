# Two stages: one that compiles, one with what runs. `docker build -t shoal .`
FROM node:20-bookworm-slim AS build
WORKDIR /shoal
# No package needs its install script; and ours would build before the sources are here.
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY broker broker
COPY gateway gateway
COPY client-js client-js
# uWebSockets.js brings its binary for every platform and Node: keep those for Linux and this one.
RUN npm run build && npm prune --omit=dev --ignore-scripts \
  && find node_modules/uWebSockets.js -name '*.node' ! -name "uws_linux_*_$(node -p process.versions.modules).node" -delete

FROM node:20-bookworm-slim
ENV NODE_ENV=production
WORKDIR /shoal
COPY --from=build /shoal/package.json ./
COPY --from=build /shoal/node_modules node_modules
COPY --from=build /shoal/dist dist
USER node
# MQTT; WebSocket and HTTP; links and gossip between nodes.
EXPOSE 1883 8080 7979/tcp 7979/udp
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/ready').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Inside a container loopback is nobody: say where to listen, as compose.yaml does.
ENTRYPOINT ["node", "/shoal/dist/gateway/main.js"]
CMD ["start"]
