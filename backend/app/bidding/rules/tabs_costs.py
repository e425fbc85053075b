"""Tab 成本项: budget, ceilings, bonds, fees, payment, penalties, price composition, who bears what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from backend.app.bidding.findings import Priority, Tab
from backend.app.bidding.rules.clauses import ANYWHERE, BIDDING, ClauseRule, scan
from backend.app.bidding.rules.passages import Passage
from backend.app.bidding.rules.quotes import Candidate
from backend.app.bidding.rules.zones import Zone

_MONEY = r"(?:[\d,.]{1,20}(?:亿|万|千|百)?元|[壹贰叁肆伍陆柒捌玖拾佰仟萬万]{2,}元?)"
_RATE = r"(?:[\d.]{1,8}[%‰]|[百千万]分之[\d一二三四五六七八九十]+)"
_VALUE = "(?:" + "|".join((_MONEY, _RATE, r"¥[\d,.]{1,20}")) + ")"
_IN_UNIT = r"（万?元）：?\d[\d,.]{2,20}"  # the unit stands in the label
_ALL = ANYWHERE - {Zone.FORMS}
_LAW = re.compile(
    r"价格扣除|扣除(?:价格|比例)|万?元以[上下]|划型|从业人员|营业收入|资产总额|较大数额罚款|吊销|例如|举例"
    r"|中标金额（万元）"
)


_RULES: tuple[ClauseRule, ...] = (
    ClauseRule(
        "最高限价",
        re.compile(
            rf"(?:限价|控制价|上限价|拦标价|限高价)(?:[^。；]{{0,30}}{_VALUE}|{_IN_UNIT})|(?:费率|折扣(?:率)?"
            rf"|单价)[^。；]{{0,16}}(?:不(?:应|得|能)?(?:超过|高于|超)|上限)[^。；]{{0,8}}{_VALUE}"
        ),
        "报价超过限价即无效，是报价的上界。",
        "把总价与分项限价录入报价表校验。",
        Priority.CRITICAL,
        92,
    ),
    ClauseRule(
        "预算金额",
        re.compile(rf"(?:预算|采购资金|概算|估算价|投资额)(?:[^。；%]{{0,20}}{_MONEY}|(?:金额)?{_IN_UNIT})"),
        "预算决定报价空间；多数文件规定超预算无效。",
        "以预算为上限测算成本与利润。",
        Priority.CRITICAL,
        91,
    ),
    ClauseRule(
        "超预算/限价的后果",
        re.compile(r"(?:超过|超出|高于)[^。；]{0,10}(?:最高)?(?:限价|预算|控制价)"),
        "报价越过上限会直接失去资格。",
        "封标前复核总价和每个分项。",
        Priority.CRITICAL,
        50,
        BIDDING,
    ),
    ClauseRule(
        "投标保证金",
        re.compile(
            rf"(?<!履约)(?<!质量)保证金(?!.{{0,6}}承诺)[^。；]{{0,24}}(?:{_VALUE}|不收取|免收|：无"
            rf"|为0|不要求|不需)|(?<!履约)(?<!质量)保证金金额"
        ),
        "占用资金并影响投标有效性。",
        "按金额、形式、账户与到账时间办理并留存回单。",
        Priority.CRITICAL,
        86,
        BIDDING,
    ),
    ClauseRule(
        "保证金缴纳方式",
        re.compile(
            r"(?<!履约)保证金[^。；]{0,30}(?:转出|转账|汇入|基本账户|到账|交纳|缴纳|形式|支票|汇票|保函)"
        ),
        "形式或账户不符会被视为未交保证金。",
        "从基本账户转出，备注项目编号，预留到账时间。",
        Priority.HIGH,
        38,
        BIDDING,
    ),
    ClauseRule(
        "履约保证金",
        re.compile(
            rf"履约(?:保证金|担保|保函)[^。；]{{0,44}}(?:{_VALUE}|不收取|免收|：无|不要求|不需)"
            rf"|{_VALUE}[^。；，]{{0,10}}履约(?:保证金|担保)"
        ),
        "中标后占用资金，计入资金成本。",
        "测算占用周期与保函费用。",
        Priority.HIGH,
        80,
    ),
    ClauseRule(
        "代理/服务费",
        re.compile(
            rf"(?:代理(?:服务)?费|招标服务费|中标服务费|成交服务费|场地费"
            rf"|交易服务费)[^。；]{{0,60}}(?:{_VALUE}|收取|支付|承担|计取|缴纳|下浮|费率)|(?:收费标准"
            rf"|收费基准|费率)[^。；]{{0,24}}(?:下浮|系数|计取|收取)|1980号[^。；]{{0,40}}(?:收取"
            rf"|收费|计取|标准|费率)"
        ),
        "通常由中标人支付，须计入报价。",
        "按计费基数和折扣算出金额并列入成本。",
        Priority.HIGH,
        76,
    ),
    ClauseRule(
        "文件费用",
        re.compile(r"(?:售价|工本费|文件费|标书费|报名费)[^。；]{0,14}[\d.]+元"),
        "获取文件的直接费用。",
        "按时缴纳并保留凭证。",
        Priority.LOW,
        62,
        BIDDING,
    ),
    ClauseRule(
        "违约与扣款",
        re.compile(
            rf"(?:违约金|滞纳金|罚款|处罚|扣除|扣罚|赔偿金|扣减|扣款|处以"
            rf"|支付)[^。；]{{0,36}}{_VALUE}[^。；]{{0,20}}|{_VALUE}[^。；，]{{0,24}}(?:违约金|滞纳金"
            rf"|罚款|赔偿金|扣除|处罚)|\d倍[^。；]{{0,16}}(?:违约金|赔偿)"
        ),
        "违约成本直接影响利润，须评估发生概率。",
        "纳入风险准备金，过重条款在澄清期提出。",
        Priority.HIGH,
        72,
        _ALL,
        re.compile(_LAW.pattern + r"|得\d|税率|保证金|给予"),
    ),
    ClauseRule(
        "付款条件",
        re.compile(
            r"(?:付款|支付|结算)(?:方式|条件|比例|期限|周期|时间|办法)(?:：|为|是)[^。；]{3,}"
            r"|(?:支付|付款|划付|付清|结算)[^。；]{0,30}(?:[\d.]+%|工作日|日内|按月|按季|每月|每季"
            r"|一次性|发票)|(?:工作日|日内|每月|按月|按季|收到发票|发票)[^。；]{0,24}(?:支付|付款"
            r"|划付|付清|结算)|付款期限[^。；]{0,12}(?:顺延|延长)|预付款"
        ),
        "付款节奏决定垫资规模。",
        "按节点排出现金流，计入资金成本。",
        Priority.HIGH,
        66,
        _ALL,
        re.compile(
            _LAW.pattern + r"|违约金|滞纳|工资|投标保证金|中标服务费|代理|(?:采购|招标|磋商|谈判)文件"
        ),
    ),
    ClauseRule(
        "用工成本",
        re.compile(
            rf"(?:工资|薪酬|加班费|社保|五险一金|公积金|社会保险)[^。；]{{0,30}}(?:不(?:得)?低于|最低"
            rf"|标准|缴纳|{_VALUE})"
        ),
        "法定用工成本是报价下限。",
        "按最低工资、社保基数和加班测算人工。",
        Priority.HIGH,
        62,
    ),
    ClauseRule(
        "单价与收费标准",
        re.compile(r"\d+(?:\.\d+)?(?:万)?元/(?!本|套招)[人天日月年组辆列次份吨台套餐个件小平米㎡]"),
        "固定单价或收费标准直接进入成本表。",
        "录入成本模型并核对计量口径。",
        Priority.HIGH,
        72,
    ),
    ClauseRule(
        "计价方式",
        re.compile(r"(?:总价|单价|费用|费率)[^。；，]{0,6}包干|固定(?:总价|单价|综合单价)|(?:总价|单价)合同"),
        "包干或固定价意味着量价风险由供应商承担。",
        "核实工作量边界，对变化留出余量。",
        Priority.HIGH,
        72,
    ),
    ClauseRule(
        "报价包含的费用",
        re.compile(
            r"(?:报价|总价|费用|价格|合同价|服务费)(?:[^。；]{0,16})?(?:应|须|必须|均|已"
            r"|为)?(?:当)?(?:包括|包含|涵盖|包干)[^。；]{0,70}|(?:一切|所有"
            r"|全部)(?:的)?(?:费用|支出)"
        ),
        "报价口径决定哪些费用不能另计。",
        "逐项核对费用清单，防止漏项。",
        Priority.HIGH,
        46,
    ),
    ClauseRule(
        "价格调整",
        re.compile(
            r"(?:价格|单价|合同价|报价|综合单价|费率|总价)[^。；]{0,30}(?:不(?:予|作|得|再"
            r"|会)(?:做)?(?:任何)?调整|固定不变|上浮|下浮|不变价)|不会?因[^。；]{0,40}(?:变动|上涨"
            r"|调整)|(?:补充合同|追加|调整幅度|增加|续签)[^。；]{0,44}不"
            r"(?:得)?超过[^。；]{0,20}(?:[\d.]+%|百分之)"
        ),
        "能否调价决定价格风险由谁承担。",
        "对人工、材料上涨留出余量。",
        Priority.MEDIUM,
        68,
    ),
    ClauseRule(
        "缺漏项与修正",
        re.compile(
            r"(?:缺漏项|漏项|缺项)[^。；]{0,50}(?:报价|计算|视为|包含|最高)|(?:单价|总价|大写"
            r"|小写)[^。；]{0,24}(?:不一致|不符|有出入)[^。；]{0,20}为准|(?:规定的金额|清单)进行修正"
        ),
        "修正规则会改变评审价甚至中标价。",
        "报价表分项齐全，大小写与合计核对一致。",
        Priority.MEDIUM,
        44,
        BIDDING | {Zone.FORMS},
    ),
    ClauseRule(
        "保险",
        re.compile(
            r"(?:购买|投保|办理|缴纳)[^。；]{0,16}(?:意外|责任|财产)[^。；]{0,6}险|(?:保险|保额"
            r"|意外险)[^。；]{0,24}(?:[\d.]+(?:万)?元|不(?:得)?低于|由[^。；]{0,8}承担)"
        ),
        "保险费由供应商承担时须计入成本。",
        "询价后列入成本。",
        Priority.MEDIUM,
        52,
    ),
    ClauseRule(
        "费用承担",
        re.compile(
            r"(?:费用?|开支|成本|税金?|关税|损失)(?:[^。；]{0,16})(?:由|均由|自行"
            r"|全部由)[^。；]{0,12}(?:承担|负担|支付|负责)|费用自理|(?:承担"
            r"|负担)[^。；]{0,16}(?:费用|关税|税费|成本)|(?:不"
            r"|由[^。；]{0,8})提供[^。；]{0,14}(?:食宿|食堂|住宿|就餐|水电)|不(?:列入|计入"
            r"|包含在)[^。；]{0,14}(?:费|经费|报价|总价)"
        ),
        "明确由谁承担，避免漏算或重复。",
        "按承担方归入成本表。",
        Priority.MEDIUM,
        44,
    ),
    ClauseRule(
        "计价公式与汇率",
        re.compile(r"(?:价|费)=[^。；]{4,}|汇率[^。；]{0,24}(?:按|以|为)|定额[^。；]{0,20}(?:下浮|单价)"),
        "结算价按公式计算，参数变化影响收入。",
        "用公式试算不同情形。",
        Priority.MEDIUM,
        60,
        _ALL,
        re.compile(_LAW.pattern + r"|得分|分值|评标价="),
    ),
    ClauseRule(
        "税费",
        re.compile(
            r"(?:税率|增值税)[^。；]{0,20}(?:[\d.]+%|专用发票|普通发票)|(?:含税"
            r"|不含税)[^。；]{0,12}(?:价|报价|金额)"
        ),
        "税率和发票类型影响净收入。",
        "按适用税率测算含税价。",
        Priority.MEDIUM,
        42,
    ),
    ClauseRule(
        "质量保证金",
        re.compile(rf"(?:质量保证金|质保金|缺陷责任)[^。；]{{0,30}}{_VALUE}"),
        "尾款被扣留，影响回款。",
        "计入资金占用。",
        Priority.MEDIUM,
        62,
    ),
)
# Most rules look everywhere but in the forms, and never at what the law or an example says.
RULES = tuple(replace(rule, avoid=rule.avoid or _LAW) for rule in _RULES)


def find_cost_items(passages: list[Passage]) -> Iterator[Candidate]:
    for passage in passages:
        if not passage.is_heading:
            yield from scan(passage, Tab.COST_ITEMS, RULES)
