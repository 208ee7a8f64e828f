# The daemon and its client in an image that holds nothing else: a static
# program, root certificates and time zones, as a user without rights.
#
# GOPROXY is passed through for builds behind a mirror.
FROM golang:1.26 AS build
ARG VERSION=dev
ARG GOPROXY
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY api ./api
COPY cmd ./cmd
COPY internal ./internal
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.release=${VERSION}" -o /out/daskbot ./cmd/daskbot \
 && mkdir -p /out/var/lib/daskbot /out/tmp

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /usr/local/go/lib/time/zoneinfo.zip /zoneinfo.zip
ENV ZONEINFO=/zoneinfo.zip HOME=/var/lib/daskbot DASKBOT_STATE=/var/lib/daskbot
COPY --from=build --chown=65532:65532 /out/var/lib/daskbot /var/lib/daskbot
COPY --from=build --chown=65532:65532 /out/tmp /tmp
COPY --from=build /out/daskbot /daskbot
USER 65532:65532
EXPOSE 8080
VOLUME /var/lib/daskbot
ENTRYPOINT ["/daskbot"]
CMD ["serve", "--config", "/etc/daskbot/daskbot.yaml"]
