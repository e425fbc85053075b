"""Whole tenders made for tests, as parts (lines, or a table as rows), written as .docx, .pdf and .txt.

The structure is that of real ones: notice, front table, instructions, scoring table, requirements, contract,
forms. All names are made up.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import docx

from backend.tests.documents_made import PdfPage, make_pdf

Part = str | Sequence[Sequence[str]]
_SIZE, _LEADING, _LEFT, _TOP, _BOTTOM, _WIDTH = 10.0, 15.0, 60.0, 60.0, 780.0, 470.0
_HEIGHT = 842.0

SERVICES: list[Part] = [
    """云岭市图书馆
读者服务区保洁服务采购项目
公开招标文件
项目编号：YLZC-2026-0318
采购人：云岭市图书馆
采购代理机构：云岭市安衡招标代理有限公司
第一章 招标公告
一、项目基本情况
1.项目编号：YLZC-2026-0318
2.项目名称：读者服务区保洁服务采购项目
3.预算金额：186.5万元
4.最高限价：180万元
5.合同履行期限：自合同签订之日起12个月
6.本项目不接受联合体投标。
二、申请人的资格要求
1.满足《中华人民共和国政府采购法》第二十二条规定；
2.本项目的特定资格要求：供应商须具有有效的物业服务企业信用等级A级及以上证书。
三、获取招标文件
时间：2026年3月2日至2026年3月9日，每天上午9:00至12:00，下午14:00至17:00（北京时间）
四、提交投标文件截止时间、开标时间和地点
提交投标文件截止时间：2026年3月24日9点30分（北京时间）
开标时间：2026年3月24日9点30分（北京时间）
地点：云岭市公共资源交易中心三楼第二开标室
第二章 投标人须知
投标人须知前附表""",
    [
        ("条款号", "条款名称", "编列内容"),
        ("1.1", "采购人", "云岭市图书馆"),
        ("1.2", "采购代理机构", "云岭市安衡招标代理有限公司"),
        ("2.1", "澄清截止时间", "2026年3月12日17:00前以书面形式提出"),
        ("3.1", "投标有效期", "90日历天"),
        ("3.2", "投标保证金", "人民币叁万元整（￥30000元）"),
        ("3.3", "投标保证金形式", "转账、支票、汇票或者金融机构出具的保函"),
        ("3.4", "履约保证金", "合同金额的5%"),
        ("3.5", "投标文件份数", "正本1份，副本4份，电子文档1份"),
        ("4.1", "评标方法", "综合评分法"),
    ],
    """3.投标文件的编制
3.1 投标文件未按招标文件要求签字、盖章的，投标无效。
3.2 投标报价超过最高限价的，投标无效。
3.3 逾期送达的投标文件，采购人不予受理。
第三章 评标办法
评分标准""",
    [
        ("序号", "评分因素", "分值", "评分标准"),
        ("1", "投标报价", "20", "满足招标文件要求且投标价格最低的投标报价为评标基准价，得满分20分。"),
        ("2", "服务方案", "40", "方案完整、针对性强得40分；方案较完整得25分；方案一般得10分。"),
        ("3", "人员配备", "25", "项目负责人具有五年以上保洁管理经验的得25分，三年以上的得15分。"),
        ("4", "类似业绩", "15", "每提供一个2023年以来的类似项目合同得5分，最高15分。"),
    ],
    """第四章 采购需求
一、服务要求
1.保洁人员不少于16人，年龄不超过55周岁。
★2.公共卫生间每日保洁不少于6次。
3.地面石材每半年晶面处理一次。
第五章 合同条款
一、付款方式：按季支付，采购人收到发票后10个工作日内支付上一季度服务费。
二、乙方迟延履行的，每日按合同金额的0.5%支付违约金。
第六章 投标文件格式
投标函
我方愿以人民币______元的总价承担上述项目，投标有效期____天。""",
]

WORKS: list[Part] = [
    """第一章 招标公告
南浦县河西路排水管网改造工程施工招标公告
1.招标条件
本招标项目南浦县河西路排水管网改造工程施工已由南浦县发展和改革局批准建设，招标人为南浦县城乡建设投资有限公司。
招标编号：NPGC2026-077
2.项目概况
最高投标限价：23456789.10元
计划工期：210日历天
3.投标人资格要求
3.1 投标人须具备市政公用工程施工总承包二级及以上资质。
3.2 本次招标不接受联合体投标。
4.招标文件的获取
4.1 获取时间：2026年5月6日9:00至2026年5月13日17:00
5.投标文件的递交
5.1 投标文件递交的截止时间为2026年6月2日9时00分
第二章 投标人须知
投标人须知前附表""",
    [
        ("条款号", "条款名称", "编列内容"),
        ("1.1.2", "招标人", "名称：南浦县城乡建设投资有限公司"),
        ("1.1.3", "招标代理机构", "名称：中瑞工程咨询有限公司"),
        ("1.3.2", "计划工期", "210日历天"),
        ("2.2.1", "投标人要求澄清招标文件的截止时间", "2026年5月20日17时00分"),
        ("3.3.1", "投标有效期", "120日历天"),
        ("3.4.1", "投标保证金", "投标保证金的金额：肆拾万元（400000元）"),
        ("5.1", "开标时间和地点", "开标时间：2026年6月2日9时00分"),
        ("7.3.1", "履约担保", "履约担保的金额：签约合同价的10%"),
    ],
    """第三章 评标办法
本次评标采用综合评估法。
评分标准""",
    [
        ("评分因素", "分值", "评分标准"),
        ("施工组织设计", "30分", "内容完整、措施得力得30分，较好得20分。"),
        ("项目管理机构", "10分", "项目经理具有高级工程师职称得10分。"),
        ("投标报价", "60分", "投标报价等于评标基准价得60分，每高1%扣1分。"),
    ],
    """第四章 合同条款及格式
付款周期：按月支付已完工程价款的80%，竣工结算后支付至97%。
第五章 技术标准和要求
1.管道闭水试验合格率应达到100%。
第六章 投标文件格式
投标保证金金额（大写）：______元""",
]

LOTS: list[Part] = [
    """第一章 采购公告
项目名称：北岸市疾病预防控制中心检验设备采购项目
项目编号：BAZC2026-G-021
采购人：北岸市疾病预防控制中心
本项目共分3个标包，供应商可以投其中一个或多个标包：""",
    [
        ("包号", "标的名称", "数量", "预算金额（万元）", "最高限价（万元）"),
        ("包1", "全自动生化分析仪", "2台", "260", "255"),
        ("包2", "气相色谱质谱联用仪", "1台", "180.5", "180.5"),
        ("包3", "生物安全柜", "6台", "48", "45"),
        ("合计", "", "", "488.5", "480.5"),
    ],
    """第二章 供应商须知
供应商须知前附表""",
    [
        ("序号", "内容", "包1", "包2", "包3"),
        ("1", "投标保证金", "5万元", "3万元", "8000元"),
        ("2", "交货期", "合同签订后60日内", "合同签订后90日内", "合同签订后30日内"),
    ],
    """3.投标文件的资格要求
包1：供应商须具有医疗器械经营许可证；包2：供应商须提供制造商出具的授权书。
第三章 采购需求
第一节 包1技术要求
★1.检测速度不低于每小时2000个测试。
第二节 包2技术要求
★1.质量数范围须达到2至1000。
第三节 包3技术要求
1.下降气流流速不低于每秒0.3米，噪声不超过65分贝。
第四章 评标办法
一、包1评分标准""",
    [
        ("评分因素", "分值", "评分标准"),
        ("投标报价", "30", "最低报价为评标基准价，得30分。"),
        ("技术参数", "50", "完全满足得50分，每有一项负偏离扣5分。"),
        ("售后服务", "20", "承诺4小时内到场得20分。"),
    ],
    "二、包2评分标准",
    [
        ("评分因素", "分值", "评分标准"),
        ("投标报价", "40", "最低报价为评标基准价，得40分。"),
        ("技术参数", "45", "完全满足得45分，每有一项负偏离扣5分。"),
        ("类似业绩", "15", "每个得5分，最高15分。"),
    ],
    "三、包3评分标准",
    [
        ("评分因素", "分值", "评分标准"),
        ("投标报价", "50", "最低报价为评标基准价，得50分。"),
        ("技术参数", "40", "完全满足得40分，每有一项负偏离扣5分。"),
        ("质保期", "10", "每增加一年得5分，最高10分。"),
    ],
]


def write_docx(path: Path, parts: Sequence[Part]) -> Path:
    document = docx.Document()
    for part in parts:
        if isinstance(part, str):
            for line in part.split("\n"):
                document.add_paragraph(line)
            continue
        table = document.add_table(len(part), max(map(len, part)))
        for cells, row in zip(part, table.rows, strict=True):
            for words, cell in zip(cells, row.cells, strict=True):
                cell.text = words
    document.save(str(path))
    return path


def write_txt(path: Path, parts: Sequence[Part]) -> Path:
    """As word processors save plain text: the cells of a row with tabs between them."""
    lines = [part if isinstance(part, str) else "\n".join("\t".join(row) for row in part) for part in parts]
    path.write_text("\n".join(lines), "utf-8")
    return path


def write_pdf(path: Path, parts: Sequence[Part]) -> Path:
    """Lines broken where the page is full; tables with all their rules drawn."""
    drawing = _Drawing()
    for part in parts:
        if isinstance(part, str):
            for line in part.split("\n"):
                drawing.line(line)
        else:
            drawing.table(part)
    return make_pdf(path, *drawing.pages)


class _Drawing:
    """Pages filled from the top; y counts downwards from the top of the page."""

    def __init__(self) -> None:
        self.pages = [PdfPage()]
        self._y = _TOP

    def line(self, words: str) -> None:
        for piece in _wrapped(words, _WIDTH):
            self._room(_LEADING)
            self._write(_LEFT, self._y, piece)
            self._y += _LEADING
        self._y += 2

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        columns = max(map(len, rows))
        longest = [max(len(row[at]) for row in rows if at < len(row)) for at in range(columns)]
        shares = [min(max(length, 3), 24) for length in longest]
        widths = [_WIDTH * share / sum(shares) for share in shares]
        for row in rows:
            cells = [_wrapped(words, width - 8) for words, width in zip(row, widths, strict=False)]
            height = max(map(len, cells)) * _LEADING + 6
            self._room(height)
            self._rules(widths, height)
            x = _LEFT
            for pieces, width in zip(cells, widths, strict=False):
                for at, piece in enumerate(pieces):
                    self._write(x + 4, self._y + at * _LEADING + 3, piece)
                x += width
            self._y += height
        self._y += _LEADING

    def _rules(self, widths: Sequence[float], height: float) -> None:
        top, bottom = _HEIGHT - self._y, _HEIGHT - self._y - height
        right = _LEFT + sum(widths)
        lines = self.pages[-1].lines
        lines += [(_LEFT, top, right, top), (_LEFT, bottom, right, bottom)]
        x = _LEFT
        for width in (*widths, 0.0):
            lines.append((x, bottom, x, top))
            x += width

    def _room(self, height: float) -> None:
        if self._y + height > _BOTTOM:
            self.pages.append(PdfPage())
            self._y = _TOP

    def _write(self, x: float, y: float, words: str) -> None:
        if words:
            self.pages[-1].texts.append((x, _HEIGHT - y - _SIZE, _SIZE, words))


def _wrapped(words: str, width: float) -> list[str]:
    most = max(1, int(width / _SIZE))
    return [words[at : at + most] for at in range(0, len(words), most)] or [""]
