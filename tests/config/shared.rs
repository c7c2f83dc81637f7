//! Services beside each other: names, and brokers that several of them name.

use isobar::config::Finding;
use isobar_core::id::BrokerId;
use isobar_core::policy::Member;

use crate::{BASE, good, messages, parse, refused};

#[test]
fn services_that_share_a_broker_must_agree_on_it() {
    for (key, value) in [
        ("maxconn", "maxconn = 10"),
        ("check", "check = \"tcp\""),
        ("check", "check = { username = \"probe\" }"),
        ("source", "source = [\"0.0.0.0\"]"),
        ("send_proxy", "send_proxy = \"v1\""),
    ] {
        let text = format!(
            "{BASE}[[service]]\nname = \"other\"\nbind = [\"127.0.0.1:1884\"]\n\
             [[service.broker]]\naddr = \"10.0.0.1:1883\"\n{value}\n"
        );
        let findings = refused(&text, parse(&text));
        assert_eq!(findings.len(), 1, "{findings:#?}");
        let Finding { line, scope, message, help, .. } = &findings[0];
        assert_eq!(*line, Some(13));
        assert_eq!(scope, "service \"other\", broker \"10.0.0.1:1883\"");
        let other = format!("{key} differs from service \"mqtt\", broker \"a\" (line 5)");
        assert!(message.starts_with(&other), "{message}");
        assert!(help.contains(&format!("write the same {key} in both")), "{help}");
    }
    let text = format!(
        "{BASE}[[service]]\nname = \"other\"\nslow_start = \"1s\"\nbind = [\"127.0.0.1:1884\"]\n\
         [[service.broker]]\nname = \"a\"\naddr = \"10.0.0.1:1883\"\n"
    );
    let findings = refused(&text, parse(&text));
    assert_eq!(findings[0].line, Some(10), "{findings:#?}");
    assert!(findings[0].message.contains("slow_start differs from"));
}

#[test]
fn services_that_name_one_name_must_agree_on_its_brokers() {
    let text = |lines: &str| {
        let named = BASE.replace("10.0.0.1:1883", "_mqtt._tcp.lan");
        format!(
            "{named}[[service]]\nname = \"other\"\nbind = [\"127.0.0.1:1884\"]\n\
             [[service.broker]]\nname = \"a\"\naddr = \"_mqtt._tcp.lan\"\n{lines}\n"
        )
    };
    assert!(good(&text("")).warnings.is_empty());
    let findings = refused(&text("maxconn = 3"), parse(&text("maxconn = 3")));
    assert_eq!(findings[0].line, Some(14), "{findings:#?}");
    assert!(findings[0].message.contains("the same name _mqtt._tcp.lan"), "{findings:#?}");
}

#[test]
fn two_services_of_one_name() {
    let text = format!(
        "{BASE}[[service]]\nname = \"mqtt\"\nbind = [\"127.0.0.1:1884\"]\n\
         [[service.broker]]\naddr = \"10.0.0.2:1883\"\n"
    );
    let findings = refused(&text, parse(&text));
    assert_eq!(findings[0].line, Some(9));
    assert!(findings[0].message.contains("taken by the service of line 3"), "{findings:#?}");
    assert!(findings[0].help.contains("mqtt-2"));
}

#[test]
fn services_that_name_one_address_share_one_broker() {
    let loaded = good(&format!(
        "{BASE}weight = 3\n[[service]]\nname = \"other\"\nbind = [\"127.0.0.1:1884\"]\n\
         [[service.broker]]\nname = \"b\"\naddr = \"10.0.0.2:1883\"\n\
         [[service.broker]]\nname = \"a\"\naddr = \"10.0.0.1:1883\"\nweight = 7\n"
    ));
    assert!(loaded.warnings.is_empty(), "{:#?}", loaded.warnings);
    let node = loaded.settings.node;
    let names: Vec<_> = node.brokers.iter().map(|broker| broker.policy.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    let member = |broker, weight| Member { broker: BrokerId(broker), weight };
    assert_eq!(node.services[0].policy.members, [member(0, 3)]);
    assert_eq!(node.services[1].policy.members, [member(1, 1), member(0, 7)]);
}

#[test]
fn names_in_logs_and_pages_are_unique() {
    let two = format!(
        "{BASE}[[service]]\nname = \"other\"\nbind = [\"127.0.0.1:1884\"]\n\
         [[service.broker]]\nname = \"a\"\naddr = \"10.0.0.1:1884\"\n\
         [[service.broker]]\nname = \"c\"\naddr = \"10.0.0.1:1883\"\n"
    );
    let loaded = good(&two);
    assert!(messages(&loaded)[0].contains("call this one \"a@10.0.0.1:1884\""));
    assert!(messages(&loaded)[1].contains("call this broker \"a\""));
    assert_eq!(loaded.settings.node.brokers[1].policy.name, "a@10.0.0.1:1884");
}
