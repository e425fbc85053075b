"use strict";

const EVERY_MS = 5000;
const WORDS = {
  ok: ["正常", "ok"],
  unavailable: ["不可用", "bad"],
  pending: ["待执行：python backend/migrate_db.py", "bad"],
  unknown: ["未知", "warn"],
  not_seen: ["未见", "warn"],
};

function show(element, text, state) {
  if (element.textContent !== text) element.textContent = text;
  element.dataset.state = state;
}

function ago(time) {
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(time)) / 1000));
  return seconds < 90 ? `${seconds} 秒前` : seconds < 5400 ? `${Math.round(seconds / 60)} 分钟前` : `${Math.round(seconds / 3600)} 小时前`;
}

function showCheck(name, value) {
  const status = typeof value === "object" && value !== null ? value.status : value;
  const [word, state] = WORDS[status] || ["—", "warn"];
  const seen = value && value.last_seen ? `（${ago(value.last_seen)}有心跳）` : "";
  show(document.getElementById(`check-${name}`), word + seen, state);
  return state;
}

function showOverall(text, state, hint) {
  document.getElementById("state").dataset.state = state;
  const label = document.getElementById("state-text");
  if (label.textContent !== text) label.textContent = text;
  const box = document.getElementById("hint");
  box.hidden = !hint;
  box.textContent = hint || "";
}

async function look() {
  try {
    const answer = await fetch("/health/ready", { cache: "no-store", signal: AbortSignal.timeout(8000) });
    const { status, checks } = await answer.json();
    for (const name of ["database", "migrations", "storage"]) showCheck(name, checks[name]);
    const worker = showCheck("worker", checks.worker);
    if (status !== "ok") showOverall("暂不可用", "bad", "服务尚未就绪，请查看上面标红的项目。");
    else if (worker !== "ok") showOverall("可用，未见工作进程", "warn", "任务会保存并排队，启动 ./start_worker.sh 后开始执行。");
    else showOverall("运行正常", "ok", "");
  } catch {
    for (const name of ["database", "migrations", "storage", "worker"]) showCheck(name, "unknown");
    showOverall("无法连接", "bad", "连接不上服务，稍后自动重试。");
  }
}

for (const origin of document.querySelectorAll(".origin")) origin.textContent = window.location.origin;

look();
setInterval(() => {
  if (document.visibilityState === "visible") look();
}, EVERY_MS);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") look();
});
