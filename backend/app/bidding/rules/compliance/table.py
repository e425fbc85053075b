"""What is checked, as data: the rows of the table in docs/compliance.md, numbered as there.

A rule's `laws` say which articles bind under which regime; under a regime without an entry nothing binds, and
the check gives hints at most.
"""

from __future__ import annotations

from backend.app.bidding.rules.compliance import acts
from backend.app.bidding.rules.compliance.acts import NEGOTIATIONS, TENDERS, Statute
from backend.app.bidding.rules.compliance.rule import (
    B,
    E,
    G,
    Rule,
    order_74,
    order_87,
    order_214,
    payment,
    purchase_law,
    purchase_rules,
    tender_law,
    tender_rules,
)

# What article 33 of the purchasing rules says of tenders it says of 谈判 and 询价 too, not of 磋商.
_WITH_NEGOTIATIONS = TENDERS | NEGOTIATIONS

REGIME = Rule(0, "procurement_regime", "适用的采购制度")
BID_PERIOD = Rule(
    1,
    "bid_period",
    "自文件发出至投标截止不少于 20 日",
    {G: (purchase_law("第三十五条", TENDERS),), B: (tender_law("第二十四条"),)},
)
CLARIFICATION_NOTICE = Rule(
    2,
    "clarification_notice",
    "影响编制的澄清、修改在投标截止 15 日前发出",
    {
        G: (
            purchase_rules("第三十一条", TENDERS),
            order_214("第十条"),
            order_74("第二十九条、第四十五条"),
        ),
        B: (tender_rules("第二十一条"),),
    },
)
SALE_PERIOD = Rule(
    3,
    "document_sale_period",
    "文件发售/提供期限",
    {
        G: (
            purchase_rules("第三十一条", TENDERS),
            order_214("第十条"),
            order_74("第二十九条、第四十五条"),
        ),
        B: (tender_rules("第十六条"),),
    },
)
PREQUALIFICATION = Rule(
    4,
    "prequalification_period",
    "资格预审的期限",
    {G: (purchase_rules("第二十一条", TENDERS),), B: (tender_rules("第十七条、第二十一条、第二十二条"),)},
)
OBJECTION = Rule(5, "objection_period", "对招标文件异议的提出与答复期限", {B: (tender_rules("第二十二条"),)})
SUPERVISOR_COMPLAINT = Rule(
    5,
    "complaint_period",
    "投诉期限不短于法定期限",
    {B: (tender_rules("第六十条"),), G: (purchase_law("第五十五条"),)},
)
CHALLENGE_PERIOD = Rule(6, "challenge_period", "质疑期限不短于七个工作日", {G: (purchase_law("第五十二条"),)})
CHALLENGE_REPLY = Rule(6, "challenge_reply", "质疑在七个工作日内答复", {G: (purchase_law("第五十三条"),)})
CHALLENGE_WAIVER = Rule(
    6,
    "challenge_waiver",
    "不要求放弃质疑、异议的权利",
    {G: (purchase_law("第五十二条"),), B: (tender_law("第六十五条"),)},
)
BID_BOND_CAP = Rule(
    7,
    "bid_bond_cap",
    "投标保证金不超过 2%",
    {
        G: (purchase_rules("第三十三条", _WITH_NEGOTIATIONS), order_214("第十二条")),
        B: (tender_rules("第二十六条"),),
    },
)
BID_BOND_AMOUNT = Rule(
    7, "bid_bond_amount", "投标保证金不超过 80 万元", {B: (Statute(acts.WORKS_TENDERS, "第三十七条"),)}
)
BOND_VALIDITY = Rule(
    8, "bond_validity", "投标保证金有效期与投标有效期一致", {B: (tender_rules("第二十六条"),)}
)
BOND_FORM = Rule(
    8,
    "bond_form",
    "保证金以非现金形式提交",
    {G: (purchase_rules("第三十三条、第四十八条", _WITH_NEGOTIATIONS), order_214("第十二条"))},
)
BOND_GUARANTEE = Rule(
    8,
    "bond_guarantee",
    "保证金不排斥保函",
    {G: payment("第十三条"), B: payment("第十三条"), E: payment("第十三条")},
)
BOND_RETURN = Rule(
    9,
    "bond_return",
    "投标保证金退还期限",
    {
        G: (purchase_rules("第三十三条", _WITH_NEGOTIATIONS), order_214("第三十一条")),
        B: (tender_rules("第五十七条"),),
    },
)
PERFORMANCE_BOND_CAP = Rule(
    10,
    "performance_bond_cap",
    "履约保证金不超过合同金额 10%",
    {G: (purchase_rules("第四十八条"),), B: (tender_rules("第五十八条"),)},
)
SIGNING_PERIOD = Rule(
    11,
    "contract_signing_period",
    "中标通知书发出之日起 30 日内签订合同",
    {G: (purchase_law("第四十六条"),), B: (tender_law("第四十六条"),)},
)
CANDIDATES = Rule(
    12, "candidates_published", "中标候选人 3 日内公示且公示不少于 3 日", {B: (tender_rules("第五十四条"),)}
)
BID_VALIDITY = Rule(
    13,
    "bid_validity_stated",
    "载明投标有效期",
    {G: (order_87("第二十条"),), B: (tender_rules("第二十五条"),)},
)
BUDGET_DISCLOSED = Rule(
    14, "budget_disclosed", "公开采购预算金额", {G: (purchase_rules("第三十条", _WITH_NEGOTIATIONS),)}
)
FLOOR_PRICE = Rule(
    14,
    "floor_price",
    "不设最低投标限价",
    {G: (order_87("第十二条"),), B: (tender_rules("第二十七条"),)},
)
NAMED_BRAND = Rule(
    15,
    "named_brand",
    "不限定或指定品牌、专利、供应商",
    {G: (purchase_rules("第二十条（六）"),), B: (tender_rules("第三十二条（五）"),)},
)
REGIONAL_RECORD = Rule(
    15,
    "regional_record",
    "不以特定区域或行业的业绩、奖项加分或作条件",
    {G: (purchase_rules("第二十条（四）"),), B: (tender_rules("第三十二条（三）"),)},
)
SUPPLIER_STATUS = Rule(
    15,
    "supplier_status",
    "不限定所有制、组织形式和所在地",
    {
        G: (purchase_rules("第二十条（七）"),),
        B: (tender_law("第六条"), tender_rules("第三十二条（六）、第三十三条")),
    },
)
REJECTION_GROUNDS = Rule(
    16,
    "rejection_grounds",
    "否决投标的理由不违反规定",
    {G: (order_87("第四十二条"),), B: (tender_rules("第五十条、第五十一条"),)},
)
SAME_HEAD = Rule(
    17,
    "same_head",
    "同一负责人、控股管理关系的单位不得同时参加",
    {G: (purchase_rules("第十八条"),), B: (tender_rules("第三十四条"),)},
)
FEW_BIDDERS = Rule(
    18,
    "fewer_than_three",
    "投标人不足三家的处理",
    {G: (order_87("第四十一条、第四十三条"),), B: (tender_rules("第四十四条"),)},
)
SCORE_TOTAL = Rule(19, "score_total", "评分项分值合计为 100 分", {G: (order_87("第五十五条"),)})
SCORE_PARTS = Rule(19, "score_parts", "分值构成之和与总分一致")
SCORE_QUANTIFIED = Rule(
    19,
    "score_quantified",
    "评审因素细化、量化",
    {G: (purchase_rules("第三十四条", TENDERS), order_214("第二十四条"))},
)
SCORE_DEDUCTION = Rule(19, "score_deduction", "扣分幅度与条款数相称")
PRICE_WEIGHT = Rule(
    20,
    "price_weight",
    "价格分权重（货物不低于 30%，服务不低于 10%）",
    {G: (order_87("第五十五条"),)},
)
PRICE_FORMULA = Rule(
    20,
    "price_formula",
    "价格分用低价优先法、不去掉最高最低报价",
    {G: (order_87("第五十五条"), order_214("第二十四条"))},
)
TIE_BREAK = Rule(20, "tie_break", "得分相同按报价由低到高排列", {G: (order_87("第五十七条"),)})
SCALE_CONDITIONS = Rule(
    21, "scale_conditions", "不以企业规模作为资格或评分条件", {G: (order_87("第十七条"),)}
)
MANUFACTURER = Rule(
    21,
    "manufacturer_authorisation",
    "不以厂家授权作为资格要求（进口货物除外）",
    {G: (order_87("第十七条"),)},
)
CONSULTATION_PERIOD = Rule(
    22,
    "consultation_period",
    "竞争性磋商自文件发出至提交截止不少于 10 日",
    {G: (order_214("第十条"),)},
)
NEGOTIATION_PERIOD = Rule(
    22,
    "negotiation_period",
    "谈判、询价自文件发出至提交截止不少于 3 个工作日",
    {G: (order_74("第二十九条、第四十五条"),)},
)
CONSULTATION_WEIGHT = Rule(
    22,
    "consultation_price_weight",
    "磋商价格分权重（货物 30%—60%，服务 10%—30%）",
    {G: (order_214("第二十四条"),)},
)
SME_DISCOUNT = Rule(
    23,
    "sme_discount",
    "小微企业价格扣除（货物服务 10%—20%，工程 3%—5%）",
    {G: (Statute(acts.SME_PREFERENCE, "第三条"),)},
)
PAYMENT_TERM = Rule(
    24,
    "payment_term",
    "向中小企业付款不超过 60 日",
    {G: payment("第九条"), B: payment("第九条"), E: payment("第九条")},
)
PAY_WHEN_PAID = Rule(
    24,
    "pay_when_paid",
    "不以资金到位或第三方付款为付款条件",
    {G: payment("第七条、第十四条"), B: payment("第九条"), E: payment("第九条")},
)
RETENTION = Rule(
    25,
    "retention_cap",
    "质量保证金预留比例（工程不超过 3%）",
    {regime: (Statute(acts.RETENTION_RULES, "第六条、第七条"),) for regime in (G, B, E)},
)
OPENING_TIME = Rule(
    26,
    "opening_equals_deadline",
    "开标时间与投标截止时间一致",
    {G: (order_87("第三十九条"),), B: (tender_law("第三十四条"),)},
)
WEEKDAY = Rule(26, "weekday_mismatch", "日期与星期一致")
DATE_ORDER = Rule(26, "date_order", "时间先后合理")
CLARIFICATION_WINDOW = Rule(26, "clarification_window", "提疑期限可行")
DATE_CONFLICT = Rule(26, "date_conflict", "截止与开标时间前后一致")
AMOUNT_WORDS = Rule(26, "amount_words", "大写与小写金额一致")
AMOUNT_CONFLICT = Rule(26, "amount_conflict", "预算、限价、保证金前后一致")
LOT_TOTAL = Rule(26, "lot_total", "分包金额之和与总额一致")
BOND_CONTRADICTION = Rule(26, "bond_contradiction", "保证金收与不收前后一致")
PAYMENT_SHARES = Rule(26, "payment_shares", "付款比例之和为 100%")
VALIDITY_CONFLICT = Rule(26, "validity_conflict", "投标有效期前后一致")
NUMBER_CONFLICT = Rule(26, "number_conflict", "项目编号前后一致")
NAME_CONFLICT = Rule(26, "name_conflict", "项目名称前后一致")
PARTY_CONFLICT = Rule(26, "party_conflict", "合同甲方与采购人一致")
SITE_VISIT = Rule(26, "site_visit_conflict", "踏勘安排前后一致")
DISPUTES = Rule(26, "dispute_conflict", "争议解决方式前后一致")
REGULATION_CONFLICT = Rule(26, "regulation_conflict", "引用文号前后一致")
REPORT_YEARS = Rule(26, "report_years", "要求的财务年度已经结束")
OUTDATED = Rule(26, "outdated_law", "不引用已失效的规定")
RENEWAL = Rule(26, "automatic_renewal", "合同不无限期自动续期")

RULES: tuple[Rule, ...] = (
    REGIME,
    BID_PERIOD,
    CLARIFICATION_NOTICE,
    SALE_PERIOD,
    PREQUALIFICATION,
    OBJECTION,
    SUPERVISOR_COMPLAINT,
    CHALLENGE_PERIOD,
    CHALLENGE_REPLY,
    CHALLENGE_WAIVER,
    BID_BOND_CAP,
    BID_BOND_AMOUNT,
    BOND_VALIDITY,
    BOND_FORM,
    BOND_GUARANTEE,
    BOND_RETURN,
    PERFORMANCE_BOND_CAP,
    SIGNING_PERIOD,
    CANDIDATES,
    BID_VALIDITY,
    BUDGET_DISCLOSED,
    FLOOR_PRICE,
    NAMED_BRAND,
    REGIONAL_RECORD,
    SUPPLIER_STATUS,
    REJECTION_GROUNDS,
    SAME_HEAD,
    FEW_BIDDERS,
    SCORE_TOTAL,
    SCORE_PARTS,
    SCORE_QUANTIFIED,
    SCORE_DEDUCTION,
    PRICE_WEIGHT,
    PRICE_FORMULA,
    TIE_BREAK,
    SCALE_CONDITIONS,
    MANUFACTURER,
    CONSULTATION_PERIOD,
    NEGOTIATION_PERIOD,
    CONSULTATION_WEIGHT,
    SME_DISCOUNT,
    PAYMENT_TERM,
    PAY_WHEN_PAID,
    RETENTION,
    OPENING_TIME,
    WEEKDAY,
    DATE_ORDER,
    CLARIFICATION_WINDOW,
    DATE_CONFLICT,
    AMOUNT_WORDS,
    AMOUNT_CONFLICT,
    LOT_TOTAL,
    BOND_CONTRADICTION,
    PAYMENT_SHARES,
    VALIDITY_CONFLICT,
    NUMBER_CONFLICT,
    NAME_CONFLICT,
    PARTY_CONFLICT,
    SITE_VISIT,
    DISPUTES,
    REGULATION_CONFLICT,
    REPORT_YEARS,
    OUTDATED,
    RENEWAL,
)
