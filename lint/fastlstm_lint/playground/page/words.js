// What the page says, in two languages. What the linter says comes from its answers.

const WORDS = {
  en: {
    title: "playground", start: "Start with", language: "Language", undo: "Undo", share: "Copy link", program: "Program",
    findings: "Findings", cursor: "At the cursor", ask: "Ask: h_n, batch_first, LSTM(5, 6, 2), an error message", go: "Ask",
    own: "my own program", programs: "Programs of the tutorials", mistakes: "Ten mistakes",
    clean: "No findings.", nothing: "Nothing recurrent here yet: paste a model with nn.LSTM, nn.GRU or nn.RNN.",
    found: (n) => `${n} finding${n === 1 ? "" : "s"}`, busy: "Looking …",
    broken: (row, message) => `Line ${row}: ${message}. Shown is what was known before.`,
    time: (s) => `Stopped: this program took longer than ${s} seconds to analyse. Make it smaller.`,
    ended: "Stopped: this program ended the process that analysed it.", failed: "Stopped: an error of the linter itself.",
    refused: (why) => `Refused: ${why}.`, away: "The server does not answer. Is fastlstm playground still running?",
    safe: (n) => `Apply the ${n} safe fixes`, all: (n) => `Apply all ${n} fixes`,
    apply: "Apply", unsafe: "changes what the program computes", same: "changes no result", line: (n) => `line ${n}`,
    why: "Why, with an example", wrong: "Wrong", right: "Right", changed: "What changed", shapes: "Shapes",
    copied: "Link copied: the program is in it.", copy: "Copy this link:", large: "The program is too large for a link.",
    linked: "Opened from a link.", layer: "One call of this layer", editor: "Program text",
  },
  zh: {
    title: "演练场", start: "从这里开始", language: "语言", undo: "撤销", share: "复制链接", program: "程序",
    findings: "检查结果", cursor: "光标处", ask: "提问：h_n、batch_first、LSTM(5, 6, 2)、报错信息", go: "问",
    own: "我自己的程序", programs: "教程里的程序", mistakes: "十个常见错误",
    clean: "没有发现问题。", nothing: "这里还没有循环层：粘贴一个含 nn.LSTM、nn.GRU 或 nn.RNN 的模型。",
    found: (n) => `发现 ${n} 个问题`, busy: "正在检查……",
    broken: (row, message) => `第 ${row} 行：${message}。显示的是之前的结果。`,
    time: (s) => `已停止：分析这个程序超过了 ${s} 秒。请把它改小。`,
    ended: "已停止：这个程序使分析它的进程结束了。", failed: "已停止：检查器自身出错。",
    refused: (why) => `被拒绝：${why}。`, away: "服务器没有回应。fastlstm playground 还在运行吗？",
    safe: (n) => `应用 ${n} 个安全的修改`, all: (n) => `应用全部 ${n} 个修改`,
    apply: "应用", unsafe: "会改变程序的计算结果", same: "不改变结果", line: (n) => `第 ${n} 行`,
    why: "为什么（附例子）", wrong: "错", right: "对", changed: "改变了什么", shapes: "形状",
    copied: "链接已复制，程序就在其中。", copy: "复制这个链接：", large: "程序太大，放不进链接。",
    linked: "从链接打开。", layer: "这一层的一次调用", editor: "程序文本",
  },
};

export const LANGS = Object.keys(WORDS);

let chosen = "en";

export function choose(lang) {
  chosen = LANGS.includes(lang) ? lang : "en";
  document.documentElement.lang = chosen === "zh" ? "zh-CN" : "en";
  for (const each of document.querySelectorAll("[data-word]")) each.textContent = say(each.dataset.word);
  for (const each of document.querySelectorAll("[data-label]")) each.setAttribute("aria-label", say(each.dataset.label));
}

export const lang = () => chosen;

export function say(name, ...values) {
  const word = WORDS[chosen][name];
  return typeof word === "function" ? word(...values) : word;
}
