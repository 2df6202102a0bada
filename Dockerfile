# syntax=docker/dockerfile:1
# Two images from one file: `api` (no torch) and `worker` (torch with CUDA, as PyPI's wheel brings it).

FROM node:22-slim AS dashboard
WORKDIR /build/frontend
COPY frontend/package.json frontend/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY frontend ./
COPY api/openapi.json /build/api/openapi.json
RUN npm run build

FROM python:3.11-slim AS base
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN useradd --uid 10001 --create-home trapo \
 && install -d -o trapo -g trapo /var/lib/trapo
WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY trapo_core trapo_core
COPY runs runs
COPY recipes recipes
ENV TRAPO_HOME=/var/lib/trapo HF_HOME=/var/lib/trapo/huggingface

FROM base AS api
COPY api api
RUN pip install -c constraints.txt -e ".[api]"
COPY --from=dashboard /build/frontend/dist frontend/dist
USER trapo
EXPOSE 8000
CMD ["python", "-m", "api"]

FROM base AS worker
RUN pip install -c constraints.txt -e ".[api,train,worker]"
COPY worker worker
USER trapo
# Celery's warm shutdown: training processes save and stop, their runs go back to the queue.
STOPSIGNAL SIGTERM
CMD ["python", "-m", "worker"]
